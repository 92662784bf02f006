"""Random numbers that are functions of a seed, a stream and a position, and the order of training."""

import tensorflow as tf

from glow_tf.types import Tensor

# The streams of random numbers of one seed. EVALUATION must have the largest number: draw n of the evaluation noise is
# stream EVALUATION + n, so a stream above it would repeat the numbers of one of the draws.
ORDER = 0  # the permutation of each epoch
AUGMENTATION = 1  # random crops, and the augmentation of cropped images
NOISE = 2  # dequantization noise in training
EVALUATION = 3  # dequantization noise in an evaluation

SHUFFLE_KEY, SHUFFLE_ROUNDS = 498247692, 4
"""Constants of `tf.random.experimental.index_shuffle`."""


def shuffled(position: Tensor, count: int, seed: int) -> Tensor:
    """Return the index of the record at a position of the endless order, or those at some positions `[n]`.

    The order of each epoch is a permutation keyed on (seed, epoch).
    """
    # `tf.random.experimental.index_shuffle`, whose Python cannot take a seed for each index.
    key, paddings = stream_seed(seed, ORDER, position // count), [[0, 0]] * position.shape.rank + [[1, 0]]
    key = tf.pad(key, paddings, constant_values=SHUFFLE_KEY)
    index, last = tf.math.floormod(position, count), tf.constant(count - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=index, seed=key, max_index=last, rounds=SHUFFLE_ROUNDS)


def stream_seed(seed: int, stream: int, position: Tensor | int) -> Tensor:
    """Return a seed int64 `[2]` for the stateless random numbers of one stream at one position.

    Of positions `[n]` return `[n, 2]`.
    """
    position = tf.cast(position, tf.int64)
    return tf.stack([tf.fill(tf.shape(position), tf.constant(seed * 1_000_003 + stream, tf.int64)), position], -1)
