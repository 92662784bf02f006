"""Interpolation between images, linear in their latents (https://arxiv.org/abs/1807.03039, section 6)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf.arguments import check_count, known
from glow_tf.errors import DataError
from glow_tf.labels import labels_per_image
from glow_tf.model import Glow
from glow_tf.types import Images, Latents, Tensor, TensorLike


def interpolate_latents(first: Sequence[TensorLike], second: Sequence[TensorLike], weights: TensorLike) -> Latents:
    """Compute latents on the straight line between pairs of latents, eagerly or inside a `tf.function`.

    Args:
        first: latents `[n, ...]`, such as `eps` `[n, H, W, C]` of each level.
        second: latents of the same shapes.
        weights: floats `[steps]`; 0 gives `first`, 1 gives `second`.

    Returns:
        Tensors `[n * steps, ...]`, in which the steps of each pair are consecutive.

    Raises:
        TypeError: the latents are not floats.
        DataError: the two lists differ in their shapes, or the weights are not finite or not `[steps]`.

    Example:
        >>> [latents] = interpolate_latents([np.zeros([1, 2])], [np.ones([1, 2])], [0.0, 0.25, 1.0])
        >>> latents.numpy().tolist()
        [[0.0, 0.0], [0.25, 0.25], [1.0, 1.0]]
    """
    weights = _to_float64(weights)
    values = known(weights)
    if weights.shape.rank not in (None, 1) or not (values is None or np.all(np.isfinite(values))):
        raise DataError(
            f"interpolate_latents: expected finite weights [steps], got {weights.shape if values is None else values}."
        )
    shapes, others = ([_shape(e) for e in eps] for eps in (first, second))
    if len(shapes) != len(others) or not all(a.is_compatible_with(b) for a, b in zip(shapes, others, strict=True)):
        raise DataError(f"interpolate_latents: expected two lists of equal shapes, got {shapes} and {others}.")
    for e in (*first, *second):
        dtype = _dtype(e)
        if not dtype.is_floating:  # weights between 0 and 1 would be rounded to 0
            raise TypeError(f"interpolate_latents: expected latents of floats, got {dtype.name}.")
    return [_interpolate(tf.convert_to_tensor(a), b, weights) for a, b in zip(first, second, strict=True)]


def _to_float64(weights: TensorLike) -> Tensor:
    """Return weights as float64, as the latents may be; TensorFlow would take numbers of Python for float32."""
    if tf.is_tensor(weights):
        return tf.cast(weights, tf.float64)
    if isinstance(weights, list | tuple) and any(map(tf.is_tensor, weights)):
        return tf.stack([_to_float64(weight) for weight in weights])
    return tf.constant(np.asarray(weights, np.float64))


def interpolate(model: Glow, first: Images, second: Images, steps: int, labels: TensorLike | None = None) -> Images:
    """Compute images between pairs of images, ends included.

    Args:
        model: the model that encodes and decodes.
        first: uint8 images `[n, H, W, C]`.
        second: the same number of other images.
        steps: number of images per pair, at least 2.
        labels: int `[n]`, the labels of both images of each pair, for a conditional model.

    Returns:
        uint8 images `[n, steps, H, W, C]`.

    Raises:
        DataError: the numbers of images differ, or `steps` or the labels are wrong.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
        >>> images = np.zeros([2, 8, 8, 1], np.uint8)
        >>> interpolate(glow, images[:1], images[1:], steps=3).shape
        (1, 3, 8, 8, 1)
    """
    steps = check_count(steps, "interpolate: steps", minimum=2)
    if len(first) != len(second):
        raise DataError(f"interpolate: expected as many first images as second ones, got {len(first)}, {len(second)}.")
    labels = labels_per_image(labels, model.config.classes, len(first), "interpolate")
    start, end = model.encode(first, labels), model.encode(second, labels)
    eps = interpolate_latents(start, end, np.linspace(0, 1, steps))
    labels = None if labels is None else tf.repeat(labels, steps)
    return model.decode(eps, labels).numpy().reshape(len(first), steps, *model.image_shape)


def _shape(latent: Any) -> tf.TensorShape:
    return latent.shape if tf.is_tensor(latent) else tf.TensorShape(np.shape(latent))


def _dtype(latent: Any) -> tf.DType:
    return tf.as_dtype(latent.dtype if hasattr(latent, "dtype") else np.asarray(latent).dtype)


def _interpolate(a: Tensor, b: TensorLike, weights: Tensor) -> Tensor:
    weights = tf.reshape(tf.cast(weights, a.dtype), [1, -1, *[1] * (len(a.shape) - 1)])
    mixed = (1 - weights) * a[:, None] + weights * tf.convert_to_tensor(b, a.dtype)[:, None]
    return tf.reshape(mixed, [-1, *a.shape[1:]])
