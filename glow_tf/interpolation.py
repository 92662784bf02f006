"""Interpolation between images, linear in their latents (paper, section 6)."""

import numpy as np
import tensorflow as tf

from glow_tf.arguments import check_count, known
from glow_tf.errors import DataError
from glow_tf.labels import labels_per_image


def interpolate_latents(first, second, weights):
    """Compute latents on the straight line between pairs of latents, eagerly or inside a `tf.function`.

    Args:
        first, second: lists of latents `[n, ...]`, such as `eps` `[n, H, W, C]` of each level.
        weights: floats `[steps]`; 0 gives `first`, 1 gives `second`.

    Returns:
        List of tensors `[n * steps, ...]`, the steps of one pair next to each other.

    Raises:
        DataError: the two lists differ in their shapes, or the weights are not finite or not `[steps]`.
    """
    weights = tf.cast(weights, tf.float32)
    values = known(weights)
    if weights.shape.rank not in (None, 1) or not (values is None or np.all(np.isfinite(values))):
        raise DataError(
            f"interpolate_latents: expected finite weights [steps], got {weights.shape if values is None else values}."
        )
    shapes, others = ([_shape(e) for e in eps] for eps in (first, second))
    if len(shapes) != len(others) or not all(map(tf.TensorShape.is_compatible_with, shapes, others)):
        raise DataError(f"interpolate_latents: expected two lists of equal shapes, got {shapes} and {others}.")
    for e in (*first, *second):
        dtype = tf.as_dtype(e.dtype if hasattr(e, "dtype") else np.asarray(e).dtype)
        if not dtype.is_floating:  # weights between 0 and 1 would be rounded to 0
            raise TypeError(f"interpolate_latents: expected latents of floats, got {dtype.name}.")
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
    steps = check_count(steps, "interpolate: steps", minimum=2)
    if len(first) != len(second):
        raise DataError(f"interpolate: expected as many first images as second ones, got {len(first)}, {len(second)}.")
    labels = labels_per_image(labels, model.config.classes, len(first), "interpolate")
    ends = model.encode(first, labels), model.encode(second, labels)
    eps = interpolate_latents(*ends, np.linspace(0, 1, steps))
    labels = None if labels is None else tf.repeat(labels, steps)
    return model.decode(eps, labels).numpy().reshape(len(first), steps, *model.image_shape)


def _shape(latent):
    return latent.shape if tf.is_tensor(latent) else tf.TensorShape(np.shape(latent))


def _interpolate(a, b, weights):
    weights = tf.reshape(tf.cast(weights, a.dtype), [1, -1, *[1] * (len(a.shape) - 1)])
    mixed = (1 - weights) * a[:, None] + weights * tf.convert_to_tensor(b, a.dtype)[:, None]
    return tf.reshape(mixed, [-1, *a.shape[1:]])
