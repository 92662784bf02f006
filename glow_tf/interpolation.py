"""Interpolation between images, linear in their latents (paper, section 6)."""

import numpy as np
import tensorflow as tf

from glow_tf.labels import labels_per_image


def interpolate_latents(first, second, weights):
    """Compute latents on the straight line between pairs of latents, eagerly or inside a `tf.function`.

    Args:
        first, second: lists of latents `[n, ...]`, such as `eps` `[n, H, W, C]` of each level.
        weights: floats `[steps]`; 0 gives `first`, 1 gives `second`.

    Returns:
        List of tensors `[n * steps, ...]`, the steps of one pair next to each other.
    """
    weights = tf.cast(weights, tf.float32)
    return [_interpolate(tf.convert_to_tensor(a), b, weights) for a, b in zip(first, second, strict=True)]


def interpolate(model, first, second, steps, labels=None):
    """Compute images between pairs of images, ends included.

    Args:
        model: a `Glow`.
        first, second: uint8 images `[n, H, W, C]`.
        steps: number of images per pair, at least 2.
        labels: int `[n]`, the labels of both images of each pair, for a conditional model.

    Returns:
        uint8 images `[n, steps, H, W, C]`.
    """
    labels = labels_per_image(labels, model.config.classes, len(first), "interpolate")
    ends = model.encode(first, labels), model.encode(second, labels)
    eps = interpolate_latents(*ends, np.linspace(0, 1, steps))
    labels = None if labels is None else tf.repeat(labels, steps)
    return model.decode(eps, labels).numpy().reshape(len(first), steps, *model.image_shape)


def _interpolate(a, b, weights):
    weights = tf.reshape(tf.cast(weights, a.dtype), [1, -1, *[1] * (len(a.shape) - 1)])
    mixed = (1 - weights) * a[:, None] + weights * tf.convert_to_tensor(b, a.dtype)[:, None]
    return tf.reshape(mixed, [-1, *a.shape[1:]])
