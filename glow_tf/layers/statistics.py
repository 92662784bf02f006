"""Means and standard deviations of a coupling network's hidden values, for its data-dependent initialization.

The batch of the initialization is large (256 images of 32x32 in the paper's presets: 65,536 positions of 512 values at
the first level), and reading and writing such arrays takes longer than the products that give them. The batch is
therefore processed in chunks that stay in cache, one after another, each centered by its own mean.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from glow_tf.layers.convolutions import marked_neighbors
from glow_tf.layers.tensors import static_size
from glow_tf.types import Tensor

CHUNK_POSITIONS = 1024
"""Approximate positions per chunk, so that `[CHUNK_POSITIONS, width]` stays in cache."""


@tf.function(autograph=False)
def conv1_mean_and_std(x: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation `[width]` of `conv3x3(x, kernel)` over images and positions.

    They follow from the mean and the covariance of the nine neighbors, which are few: `var(a w) = w^T cov(a) w`.
    """
    w = tf.reshape(kernel, [-1, kernel.shape[-1]])
    size = static_size(w, 0)

    def measure(rows: Tensor) -> tuple[Tensor, Tensor]:
        mean = _column_sums(rows) / _count(rows)
        centered = tf.nn.bias_add(rows, -mean)
        return mean, tf.matmul(centered, centered, transpose_a=True)

    mean, covariance = _over_chunks(x, measure, lambda v: v[:, None] * v, [[size], [size] * 2])
    variance = tf.maximum(tf.reduce_sum(w * (covariance @ w), 0), 0)
    return (mean[None] @ w)[0], tf.sqrt(variance)


@tf.function(autograph=False)
def conv2_mean_and_std(x: Tensor, kernel_1: Tensor, bias_1: Tensor, kernel_2: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation `[width]` of `conv1x1(relu(conv3x3(x, kernel_1) + bias_1), kernel_2)`."""
    w_1, w_2 = (tf.reshape(kernel, [-1, kernel.shape[-1]]) for kernel in (kernel_1, kernel_2))

    def measure(rows: Tensor) -> tuple[Tensor, Tensor]:
        h = tf.nn.relu(tf.nn.bias_add(rows @ w_1, bias_1))
        mean = tf.reshape((_column_sums(h) / _count(h))[None] @ w_2, [-1])
        return mean, _column_sums(tf.square(tf.nn.bias_add(h @ w_2, -mean)))

    mean, variance = _over_chunks(x, measure, tf.square, [[static_size(w_2)]] * 2)
    return mean, tf.sqrt(variance)


def _over_chunks(
    x: Tensor,
    measure: Callable[[Tensor], tuple[Tensor, Tensor]],
    square: Callable[[Tensor], Tensor],
    shapes: Sequence[Sequence[int]],
) -> tuple[Tensor, Tensor]:
    """Return mean and mean square of the deviations, over all positions, from those of chunks (Chan et al., 1979).

    Args:
        x: `[B, H, W, C]`.
        measure: function of a chunk's neighbors (see `marked_neighbors`), about `CHUNK_POSITIONS` rows, that returns
            their mean and the sum of the squared deviations.
        square: function that squares a difference of means as `measure` does a deviation.
        shapes: the shapes of the two.
    """
    images = max(1, CHUNK_POSITIONS // max(1, static_size(x, 1) * static_size(x, 2)))

    def more(start: Tensor, *_: Tensor) -> Tensor:
        return start < tf.shape(x)[0]

    def add_chunk(start: Tensor, count: Tensor, mean: Tensor, squares: Tensor) -> tuple[Any, ...]:
        rows = marked_neighbors(x[start : start + images])
        rows_mean, rows_squares = measure(rows)
        total, difference = count + _count(rows), rows_mean - mean
        between = square(difference) * (count * _count(rows) / total)
        mean += difference * (_count(rows) / total)
        return start + images, total, mean, squares + rows_squares + between

    state = (0, *(tf.zeros(shape, x.dtype) for shape in ([], *shapes)))
    _, count, mean, squares = tf.while_loop(more, add_chunk, state, parallel_iterations=1)
    return mean, squares / count


def _count(rows: Tensor) -> Tensor:
    return tf.cast(tf.shape(rows)[0], rows.dtype)


def _column_sums(rows: Tensor) -> Tensor:
    """Sum over rows; on a CPU this kernel reads memory twice as fast as `tf.reduce_sum`."""
    return tf.raw_ops.BiasAddGrad(out_backprop=rows)
