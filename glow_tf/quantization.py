"""Conversion between images and the continuous values that a flow models: bits, dequantization, bits/dim.

With `n = 2^bits`, an image of bytes becomes `x = floor(byte / 2^(8 - bits)) / n - 0.5 + u / n`, `u` uniform in
[0, 1), and `log P(image) >= E[log p(x)] - D log n` for `D = H * W * C`: the continuous density bounds the discrete
probability, and bits/dim is `-log P / (D log 2)` (paper, section 2).
"""

import math

import tensorflow as tf

from glow_tf.arguments import check_count, to_bytes
from glow_tf.errors import DataError


def levels(bits):
    """Return `n`, the number of levels of a channel."""
    if check_count(bits, "bits", minimum=1) > 8:
        raise DataError(f"bits: expected 1 to 8, got {bits}.")
    return 2 ** int(bits)  # as NumPy's uint8 has no 256


def dequantize(images, bits, noise=0.5, dtype=tf.float32):
    """Convert uint8 images to continuous values in [-0.5, 0.5).

    Args:
        images: uint8 `[..., H, W, C]`; only the upper `bits` bits of each value are used.
        bits: int, 1 to 8.
        noise: float `[..., H, W, C]`, uniform in [0, 1); the default is the middle of each bin.
        dtype: float dtype of the result.

    Returns:
        `x`, `[..., H, W, C]`.
    """
    n = levels(bits)
    index = tf.cast(
        tf.bitwise.right_shift(to_bytes(images, "quantization"), tf.constant(8 - int(bits), tf.uint8)), dtype
    )
    return (index + tf.cast(noise, dtype)) / n - 0.5


def to_uint8(x, bits):
    """Convert continuous values to uint8, the lower edge of their bins.

    Values outside [-0.5, 0.5) become 0 or 255, as in the original code.
    """
    return tf.cast(tf.clip_by_value(tf.floor((x + 0.5) * levels(bits)) * (256 // levels(bits)), 0, 255), tf.uint8)


def quantize(images, bits):
    """Return uint8 images as a `bits`-bit model sees them: with the lower `8 - bits` bits of each value cleared."""
    levels(bits)  # raises for other bits
    shift = tf.constant(8 - int(bits), tf.uint8)
    return tf.bitwise.left_shift(tf.bitwise.right_shift(to_bytes(images, "quantization"), shift), shift)


def bits_per_dim(log_prob, image_shape):
    """Convert log-probabilities, in nats per image `[...]`, to bits per dimension `[...]`."""
    return -log_prob / (math.prod(image_shape) * math.log(2.0))
