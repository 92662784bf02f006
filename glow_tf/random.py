"""Numbers and seeds as tensors, and latents that are drawn with them."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from glow_tf.types import Latents, ShapeLike, Tensor, TensorLike


def as_dtype(value: TensorLike, dtype: tf.DType | str) -> Tensor:
    """Convert a number or a tensor to `dtype`.

    `tf.cast` alone would round a Python float to float32 on its way to float64.
    """
    return tf.cast(tf.convert_to_tensor(value, dtype_hint=dtype), dtype)


def fresh_seed(seed: TensorLike | None, purpose: str) -> Tensor:
    """Return a seed int32 `[2]` for stateless random numbers.

    Args:
        seed: an int or two; None draws one, in an eager call only.
        purpose: what the numbers are for, for the error message.

    Raises:
        ValueError: the seed is not an int or two of 32 bits, or none was given inside a `tf.function`, where one drawn
            now would be the same in every call.
        TypeError: the seed is not of integers.

    Example:
        >>> fresh_seed(7, "sample").numpy().tolist()
        [7, 0]
    """
    if seed is None:
        if not tf.executing_eagerly():
            raise ValueError(
                f"{purpose}: inside a tf.function randomness must be given: pass seed=[int, int] (a tensor may vary "
                "from call to call) or the noise itself. A seed drawn here would be the same in every call."
            )
        return tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
    seed = tf.cast(_checked_seed(seed, purpose), tf.int32)
    return tf.stack([seed, 0]) if seed.shape.rank == 0 else seed


def standard_normal(n: int | Tensor, shapes: Sequence[ShapeLike], seed: Tensor, dtype: tf.DType | str) -> Latents:
    """Draw `n` standard normal values `[n, *shape]` for each shape, each by a seed that is split off from `seed`."""
    seeds = tf.random.split(seed, len(shapes))
    return [
        # TensorFlow's stubs accept no scalar tensor among the sizes of a shape.
        tf.random.stateless_normal([n, *shape], seeds[i], dtype=dtype)  # pyright: ignore[reportArgumentType]
        for i, shape in enumerate(shapes)
    ]


def _checked_seed(seed: TensorLike, purpose: str) -> Tensor:
    """Return a seed as a tensor of integers `[]` or `[2]`, or raise."""
    expected = f"{purpose}: expected as seed an int or two"
    try:
        tensor = tf.convert_to_tensor(seed)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{expected}, got {seed!r}.") from error
    if not tensor.dtype.is_integer:
        raise TypeError(f"{expected}, got {tensor.dtype.name}.")
    if not any(tensor.shape.is_compatible_with(shape) for shape in ([], [2])):
        raise ValueError(f"{expected}, got the shape {list(tensor.shape)}.")
    values = tf.get_static_value(tensor) if tensor.dtype.max > tf.int32.max else None
    if values is not None and not np.all((values >= tf.int32.min) & (values <= tf.int32.max)):
        raise ValueError(f"{expected} of 32 bits (-2147483648 to 2147483647), got {values}.")
    return tensor
