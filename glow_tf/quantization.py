"""Conversion between images and the continuous values that a flow models: bits, dequantization, bits/dim.

With `n = 2^bits`, an image of bytes becomes `x = floor(byte / 2^(8 - bits)) / n - 0.5 + u / n`, `u` uniform in
[0, 1), and `log P(image) >= E[log p(x)] - D log n` for `D = H * W * C`: the continuous density bounds the discrete
probability, and bits/dim is `-log P / (D log 2)` (https://arxiv.org/abs/1807.03039, section 2).
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from glow_tf.arguments import check_count, check_noise, to_bytes
from glow_tf.errors import DataError
from glow_tf.types import Tensor, TensorLike


def levels(bits: int) -> int:
    """Return `n = 2^bits`, the number of levels of a channel.

    Args:
        bits: bits per channel, 1 to 8.

    Raises:
        DataError: `bits` is something else.

    Example:
        >>> levels(5)
        32
    """
    if check_count(bits, "bits", minimum=1) > 8:
        raise DataError(f"bits: expected 1 to 8, got {bits}.")
    return 2 ** int(bits)  # as NumPy's uint8 has no 256


MAX_NOISE = 1 - 2.0**-16
"""The largest dequantization noise in float32: with more, some values would be rounded up into the next bin."""


def dequantize(images: TensorLike, bits: int, noise: TensorLike = 0.5, dtype: tf.DType | str = tf.float32) -> Tensor:
    """Convert uint8 images to continuous values in [-0.5, 0.5).

    Args:
        images: uint8 `[..., H, W, C]`; only the upper `bits` bits of each value are used.
        bits: bits per channel, 1 to 8.
        noise: floats in [0, 1) that broadcast to `[..., H, W, C]`, uniform; the default is the middle of each bin.
        dtype: float dtype of the result.

    Returns:
        `x`, `[..., H, W, C]`.

    Raises:
        TypeError: the images are not uint8, or the noise is not floats.
        DataError: `bits` is out of range, or the noise has another shape or values outside [0, 1).

    Example:
        >>> dequantize(np.array([[[0], [255]]], np.uint8), bits=1).numpy().ravel().tolist()
        [-0.25, 0.25]
    """
    images = to_bytes(images, "quantization")
    return add_noise(images, bits, tf.convert_to_tensor(check_noise(noise, images, None, dtype, "dequantization")))


def add_noise(images: Tensor, bits: int, noise: Tensor) -> Tensor:
    """Compute `dequantize` in the dtype of the noise, without checks.

    Args:
        images: uint8 `[..., H, W, C]`.
        bits: bits per channel, 1 to 8.
        noise: floats in [0, 1) that broadcast to the images.

    Returns:
        `x`, `[..., H, W, C]`.

    Example:
        >>> add_noise(tf.constant([[[0], [255]]], tf.uint8), 1, tf.constant(0.5)).numpy().ravel().tolist()
        [-0.25, 0.25]
    """
    n = levels(bits)
    index = tf.cast(tf.bitwise.right_shift(images, tf.constant(8 - int(bits), tf.uint8)), noise.dtype)
    if noise.dtype == tf.float32:
        noise = tf.minimum(noise, MAX_NOISE)
    return (index + noise) / n - 0.5


def to_uint8(x: Tensor | np.ndarray, bits: int) -> Tensor:
    """Convert continuous values to uint8, the lower edge of their bins.

    Values outside [-0.5, 0.5) become 0 or 255, as in the original code.

    Args:
        x: float `[..., H, W, C]`.
        bits: bits per channel, 1 to 8.

    Returns:
        Images, uint8 `[..., H, W, C]`.

    Example:
        >>> to_uint8(np.array([[[-0.25], [0.25]]]), bits=1).numpy().ravel().tolist()
        [0, 128]
    """
    return tf.cast(tf.clip_by_value(tf.floor((x + 0.5) * levels(bits)) * (256 // levels(bits)), 0, 255), tf.uint8)


def quantize(images: TensorLike, bits: int) -> Tensor:
    """Return uint8 images as a `bits`-bit model sees them: with the lower `8 - bits` bits of each value cleared.

    Args:
        images: uint8 of any shape.
        bits: bits per channel, 1 to 8.

    Raises:
        TypeError: the images are not uint8.
        DataError: `bits` is out of range.

    Example:
        >>> quantize(np.array([[[200], [255]]], np.uint8), bits=5).numpy().ravel().tolist()
        [200, 248]
    """
    levels(bits)  # raises for other bits
    shift = tf.constant(8 - int(bits), tf.uint8)
    return tf.bitwise.left_shift(tf.bitwise.right_shift(to_bytes(images, "quantization"), shift), shift)


def bits_per_dim(log_prob: Tensor, image_shape: Sequence[int]) -> Tensor:
    """Convert log-probabilities to bits per dimension.

    Args:
        log_prob: log-probabilities in nats per image, `[...]`.
        image_shape: shape of an image, `(H, W, C)`.

    Returns:
        Bits per dimension, `[...]`.

    Example:
        >>> bits_per_dim(tf.constant([-64 * math.log(2.0)]), (8, 8, 1)).numpy().tolist()
        [1.0]
    """
    return -log_prob / (math.prod(image_shape) * math.log(2.0))
