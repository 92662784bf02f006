"""Means and standard deviations of a coupling network's hidden values, for its data-dependent initialization.

The batch of the initialization is large (256 images of 32x32 in the paper's presets: 65,536 positions of 512 values at
the first level), and reading and writing such arrays takes longer than the products that compute them. The batch is
therefore processed in chunks that stay in cache. They are processed one after another, each centered by its own mean.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from glow_tf.layers.convolutions import marked_neighbors
from glow_tf.layers.tensors import static_size
from glow_tf.types import Tensor

CHUNK_POSITIONS = 4096
"""Approximate positions per chunk, so that `[CHUNK_POSITIONS, width]` stays in cache."""

PARALLEL_CHUNKS = 2
"""Chunks that are computed at once: while one copies its neighbors, which takes one core, another multiplies."""

BLOCKS, MIN_BLOCK = 2, 128
"""Number of blocks that the hidden channels are divided into, and the fewest channels of a block.

The product of blocks (j, i) is the transpose of that of (i, j), so it is computed once.
"""


def _traced_for_large_batches(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is traced for batches of several chunks: one chunk is computed in less time than that."""
    traced = tf.function(function, autograph=False)

    @functools.wraps(function)
    def call(x: Tensor, *arguments: Tensor) -> Any:
        return (function if _is_one_chunk(x) else traced)(x, *arguments)

    return call


def _images_per_chunk(x: Tensor) -> Any:
    """Return the number of images whose positions are about `CHUNK_POSITIONS`."""
    return max(1, CHUNK_POSITIONS // max(1, static_size(x, 1) * static_size(x, 2)))


def _is_one_chunk(x: Tensor) -> bool:
    """Return whether a batch of known shape is not divided."""
    return x.shape.is_fully_defined() and x.shape[0] <= _images_per_chunk(x)


@_traced_for_large_batches
def conv1_mean_and_std(x: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation `[width]` of `conv3x3(x, kernel)` over images and positions.

    They follow from the mean and the covariance of the nine neighbors, which are few: `var(a w) = w^T cov(a) w`.
    """
    w = tf.reshape(kernel, [-1, kernel.shape[-1]])
    return _mean_and_std(*_over_chunks(x, lambda rows: [rows], static_size(w, 0)), w)


@_traced_for_large_batches
def conv2_mean_and_std(x: Tensor, kernel_1: Tensor, bias_1: Tensor, kernel_2: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation `[width]` of `conv1x1(relu(conv3x3(x, kernel_1) + bias_1), kernel_2)`.

    They follow from the mean and the covariance of the hidden values. A covariance is symmetric, so it takes 3/4 of the
    operations of the convolution itself.
    """
    w_1, w_2 = (tf.reshape(kernel, [-1, kernel.shape[-1]]) for kernel in (kernel_1, kernel_2))
    width = static_size(w_2, 0)
    count = BLOCKS if width % BLOCKS == 0 and width >= BLOCKS * MIN_BLOCK else 1
    parts = list(zip(tf.split(w_1, count, 1), tf.split(bias_1, count), strict=True))

    def hidden(rows: Tensor) -> list[Tensor]:
        return [tf.nn.relu(tf.nn.bias_add(rows @ w, b)) for w, b in parts]

    return _mean_and_std(*_over_chunks(x, hidden, width), w_2)


def _mean_and_std(mean: Tensor, covariance: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation `[out]` of `a w` for those of `a` and `w` `[in, out]`."""
    variance = tf.maximum(tf.reduce_sum(w * (covariance @ w), 0), 0)
    return (mean[None] @ w)[0], tf.sqrt(variance)


def _over_chunks(x: Tensor, columns: Callable[[Tensor], list[Tensor]], size: int) -> tuple[Tensor, Tensor]:
    """Return mean `[size]` and covariance `[size, size]` over all positions, from those of chunks (Chan et al., 1979).

    Args:
        x: `[B, H, W, C]`.
        columns: function of a chunk's neighbors (see `marked_neighbors`), about `CHUNK_POSITIONS` rows, that returns
            the values in parts `[rows, size / parts]`.
        size: number of values at a position.
    """
    images = _images_per_chunk(x)

    def more(start: Tensor, *_: Tensor) -> Tensor:
        return start < tf.shape(x)[0]

    def add_chunk(start: Tensor, count: Tensor, mean: Tensor, squares: Tensor) -> tuple[Any, ...]:
        parts = columns(marked_neighbors(x[start : start + images]))
        rows = _count(parts[0])
        means = [_column_sums(part) / rows for part in parts]
        rows_squares = _products([tf.nn.bias_add(part, -m) for part, m in zip(parts, means, strict=True)])
        total, difference = count + rows, tf.concat(means, 0) - mean
        between = difference[:, None] * difference * (count * rows / total)
        mean += difference * (rows / total)
        return start + images, total, mean, squares + rows_squares + between

    state = (tf.constant(0), *(tf.zeros(shape, x.dtype) for shape in ([], [size], [size, size])))
    if _is_one_chunk(x):
        _, count, mean, squares = add_chunk(*state)
    else:
        _, count, mean, squares = tf.while_loop(more, add_chunk, state, parallel_iterations=PARALLEL_CHUNKS)
    return mean, squares / count


def _products(parts: Sequence[Tensor]) -> Tensor:
    """Return `a^T a` of `a`, which is given in parts `[rows, n]`: each product of two parts is computed once."""
    count = len(parts)
    upper = {(i, j): tf.matmul(parts[i], parts[j], transpose_a=True) for i in range(count) for j in range(i, count)}
    blocks = [[upper[i, j] if i <= j else tf.transpose(upper[j, i]) for j in range(count)] for i in range(count)]
    return tf.concat([tf.concat(row, 1) for row in blocks], 0)


def _count(rows: Tensor) -> Tensor:
    return tf.cast(tf.shape(rows)[0], rows.dtype)


def _column_sums(rows: Tensor) -> Tensor:
    """Sum over rows; on a CPU this kernel reads memory twice as fast as `tf.reduce_sum`."""
    return tf.raw_ops.BiasAddGrad(out_backprop=rows)
