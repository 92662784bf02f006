"""Images and the continuous values a flow models: bits, dequantisation, bits/dim (paper, section 2).

With `n = 2^bits`, an image of bytes becomes `x = floor(byte / 2^(8 - bits)) / n - 0.5 + u / n`, `u` uniform in
[0, 1), and `log P(image) >= E[log p(x)] - D log n` for `D = H * W * C`: the continuous density bounds the discrete
probability, and bits/dim is `-log P / (D log 2)`.
"""

import math

import tensorflow as tf


def levels(bits):
    """`n`, the number of levels of a channel."""
    return 2**bits


def dequantize(images, bits, noise=0.5, dtype=tf.float32):
    """uint8 `[..., H, W, C]` -> `x` in [-0.5, 0.5).

    Args:
        images: uint8 values 0..255; only the upper `bits` bits of each are used.
        bits: 1 to 8.
        noise: uniform in [0, 1), of the images' shape; 0.5 is the middle of each bin.
        dtype: of `x`.
    """
    index = tf.cast(tf.bitwise.right_shift(images, tf.constant(8 - bits, tf.uint8)), dtype)
    return (index + tf.cast(noise, dtype)) / levels(bits) - 0.5


def to_uint8(x, bits):
    """`x` -> uint8, the lower edge of its bin; outside [-0.5, 0.5) it is 0 or 255, as in the original."""
    return tf.cast(tf.clip_by_value(tf.floor((x + 0.5) * levels(bits)) * (256 // levels(bits)), 0, 255), tf.uint8)


def quantize(images, bits):
    """uint8 -> uint8 with the lower `8 - bits` bits cleared: what a model of that many bits can know of an image."""
    return tf.bitwise.left_shift(
        tf.bitwise.right_shift(images, tf.constant(8 - bits, tf.uint8)), tf.constant(8 - bits, tf.uint8)
    )


def bits_per_dim(log_prob, image_shape):
    """Nats per image `[...]` -> bits per dimension `[...]`."""
    return -log_prob / (math.prod(image_shape) * math.log(2.0))
