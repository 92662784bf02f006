"""Conversion of numbers and seeds to tensors."""

import tensorflow as tf


def as_dtype(value, dtype):
    """Convert a number or a tensor to `dtype`.

    `tf.cast` alone would round a Python float to float32 on its way to float64.
    """
    return tf.cast(tf.convert_to_tensor(value, dtype_hint=dtype), dtype)


def fresh_seed(seed, purpose):
    """Return a seed int32 `[2]` for stateless random numbers.

    Args:
        seed: an int or two; None draws one, in an eager call only.
        purpose: what the numbers are for, for the error message.

    Raises:
        ValueError: no seed was given inside a `tf.function`, where one drawn now would be the same in every call.
    """
    if seed is None:
        if not tf.executing_eagerly():
            raise ValueError(
                f"{purpose}: inside a tf.function randomness must be given: pass seed=[int, int] (a tensor may vary "
                "from call to call) or the noise itself. A seed drawn here would be the same in every call."
            )
        return tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
    seed = tf.cast(tf.convert_to_tensor(seed), tf.int32)
    return tf.stack([seed, 0]) if seed.shape.rank == 0 else seed
