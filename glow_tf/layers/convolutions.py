"""3x3 convolutions with edge markers, and the three convolutions of a coupling network as matrix products.

A 3x3 convolution is a matrix product over the nine neighbors of each position. The coupling network is narrow at both
ends and wide in between, so the neighbors are concatenated only at the narrow ends. All large arrays are then matrices
`[positions, width]`, and every product, including those of the backward pass, is one call of the fastest kernel.
"""

from typing import Any

import tensorflow as tf

from glow_tf.layers.activations import activations
from glow_tf.layers.tensors import reshape_like, static_size
from glow_tf.types import Tensor

OFFSETS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
"""(row, column) offsets of the 3x3 neighborhood, in kernel order."""


def edge_markers(height: int | Tensor, width: int | Tensor, dtype: tf.DType) -> Tensor:
    """Return the edge-marker channel `[1, H + 2, W + 2, 1]`: 1 on the ring of padding, 0 inside."""
    return tf.pad(tf.zeros([1, height, width, 1], dtype), [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1)


def conv3x3(x: Tensor, kernel: Tensor) -> Tensor:
    """Compute a 3x3 convolution with edge markers, as the original code does.

    The original pads `x` with a ring of zeros and appends a channel that is 1 on the ring and 0 inside. That channel
    is the same for every image, so it adds one map `[1, H, W, out]`.

    Args:
        x: `[B, H, W, in]`.
        kernel: `[3, 3, in + 1, out]`, the marker's weights last.

    Returns:
        `[B, H, W, out]`.
    """
    markers = edge_markers(tf.shape(x)[1], tf.shape(x)[2], x.dtype)
    return _convolve(x, kernel[:, :, :-1]) + tf.nn.conv2d(markers, kernel[:, :, -1:], 1, "VALID")


def _convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """Compute a 3x3 convolution.

    If the batch may be empty, a blank image is appended first: TensorFlow's CPU kernel returns the wrong number of
    channels for an empty batch.
    """
    if x.shape[0] is not None:
        return tf.nn.conv2d(x, kernel, 1, "SAME")
    count = tf.shape(x)[0]
    missing = tf.cast(tf.equal(count, 0), tf.int32)
    # Not tf.pad, which the LiteRT converter does not take here.
    filled = tf.concat([x, tf.zeros(tf.concat([[missing], tf.shape(x)[1:]], 0), x.dtype)], 0)
    return tf.nn.conv2d(filled, kernel, 1, "SAME")[:count]


def pad(x: Tensor) -> Tensor:
    """Pad `[B, H, W, C]` with a ring of zeros."""
    return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])


def neighbors(padded: Tensor, sign: int = 1) -> Tensor:
    """Concatenate the nine neighbors of each position: `[B, H + 2, W + 2, C] -> [B * H * W, 9 C]`.

    Block k of a position p holds the value at `p + sign * OFFSETS[k]`.
    """
    size = tf.stack([-1, *_inner_size(padded), -1])
    # `tf.slice`, as Python's brackets take longer to run and to trace.
    blocks = [tf.slice(padded, [0, 1 + sign * i, 1 + sign * j, 0], size) for i, j in OFFSETS]
    return tf.reshape(tf.concat(blocks, -1), [-1, 9 * static_size(padded)])


def marked_neighbors(x: Tensor) -> Tensor:
    """Concatenate the neighbors of `x` with its edge markers: `[B, H, W, C] -> [B * H * W, 9 (C + 1)]`."""
    markers = edge_markers(tf.shape(x)[1], tf.shape(x)[2], x.dtype)
    tiled = tf.tile(markers, [tf.shape(x)[0], 1, 1, 1])  # pyright: ignore[reportArgumentType]
    return neighbors(tf.concat([pad(x), tiled], -1))


def with_ones(matrix: Tensor) -> Tensor:
    """Append a column of ones to `[N, C]`."""
    return tf.concat([matrix, tf.ones_like(matrix[:, :1])], 1)


def sum_of_neighbors(blocks: Tensor, sign: int = 1) -> Tensor:
    """Compute the adjoint of `neighbors(pad(x), -sign)`: `[B, H, W, 9 C] -> [B, H, W, C]`.

    Position p sums block k of position `p + sign * OFFSETS[k]`; positions outside the image count as zero.
    """
    channels, padded = static_size(blocks) // 9, pad(blocks)
    size = tf.stack([-1, *_inner_size(padded), channels])
    return tf.add_n(
        [
            tf.slice(padded, [0, 1 + sign * i, 1 + sign * j, k], size)
            for k, (i, j) in zip(range(0, 9 * channels, channels), OFFSETS, strict=True)
        ]
    )


def _inner_size(padded: Tensor) -> tuple[int | Tensor, int | Tensor]:
    height, width = padded.shape[1:3]
    shape = tf.shape(padded)
    return (shape[1] if height is None else height) - 2, (shape[2] if width is None else width) - 2


@tf.custom_gradient
def three_convolutions(
    x: Tensor, kernel_1: Tensor, bias_1: Tensor, kernel_2: Tensor, bias_2: Tensor, kernel_3: Tensor, bias_3: Tensor
) -> Any:
    """Compute `conv3x3(relu(conv1x1(relu(conv3x3(x) + bias_1)) + bias_2)) + bias_3`.

    `CouplingNetwork.reference_call` is the plain form; the tests compare values and gradients with it.

    Args:
        x: `[B, H, W, in]`.
        kernel_1: `[3, 3, in + 1, width]`.
        bias_1: `[width]`.
        kernel_2: `[1, 1, width, width]`.
        bias_2: `[width]`.
        kernel_3: `[3, 3, width + 1, out]`.
        bias_3: `[out]`.

    Returns:
        `[B, H, W, out]`.
    """
    channels, width, outputs = static_size(x), static_size(kernel_2), static_size(kernel_3)
    markers = edge_markers(tf.shape(x)[1], tf.shape(x)[2], x.dtype)
    ring = neighbors(markers)  # [H W, 9], the same for every image

    def image(matrix: Tensor) -> Tensor:
        """Reshape `[B H W, C] -> [B, H, W, C]`."""
        return reshape_like(x, matrix, static_size(matrix))

    # A column of ones makes the bias a row of the matrix, which saves two passes over `h_1`.
    x_9 = with_ones(marked_neighbors(x))
    w_1 = tf.concat([tf.reshape(kernel_1, [9 * (channels + 1), width]), bias_1[tf.newaxis]], 0)
    w_2 = tf.reshape(kernel_2, [width, width])
    w_3 = tf.reshape(tf.transpose(kernel_3, [2, 0, 1, 3]), [width + 1, 9 * outputs])
    w_3, w_ring = w_3[:-1], tf.reshape(w_3[-1], [9, outputs])

    def forward() -> tuple[Tensor, Tensor, Tensor]:
        h_1 = tf.nn.relu(x_9 @ w_1)
        h_2 = tf.nn.relu(tf.nn.bias_add(h_1 @ w_2, bias_2))
        edges = tf.reshape(tf.nn.bias_add(ring @ w_ring, bias_3), [1, *_inner_size(markers), outputs])
        return h_1, h_2, sum_of_neighbors(image(h_2 @ w_3)) + edges

    h_1, h_2, y = activations(forward, 3)

    def gradient(dy: Tensor) -> tuple[Tensor, ...]:
        dy_9 = neighbors(pad(dy), -1)
        dedges = tf.reshape(tf.reduce_sum(dy, 0), [-1, outputs])
        dh_2 = _relu_gradient(tf.matmul(dy_9, w_3, transpose_b=True), h_2)
        dh_1 = _relu_gradient(tf.matmul(dh_2, w_2, transpose_b=True), h_1)
        dx_9 = image(tf.matmul(dh_1, w_1[:-1], transpose_b=True))
        dw_1 = tf.matmul(x_9, dh_1, transpose_a=True)
        dw_3 = tf.concat(
            [
                tf.matmul(h_2, dy_9, transpose_a=True),
                tf.reshape(tf.matmul(ring, dedges, transpose_a=True), [1, 9 * outputs]),
            ],
            0,
        )
        return (
            sum_of_neighbors(dx_9, -1)[..., :channels],  # pyright: ignore[reportArgumentType]
            tf.reshape(dw_1[:-1], kernel_1.shape),
            dw_1[-1],
            tf.reshape(tf.matmul(h_1, dh_2, transpose_a=True), kernel_2.shape),
            _bias_gradient(dh_2),
            tf.transpose(tf.reshape(dw_3, [width + 1, 3, 3, outputs]), [1, 2, 0, 3]),
            tf.reduce_sum(dedges, 0),
        )

    return y, gradient


def _bias_gradient(upstream: Tensor) -> Tensor:
    """Sum over positions; on a CPU this kernel reads memory twice as fast as `tf.reduce_sum`."""
    return tf.raw_ops.BiasAddGrad(out_backprop=upstream)


def _relu_gradient(upstream: Tensor, output: Tensor) -> Tensor:
    return tf.raw_ops.ReluGrad(gradients=upstream, features=output)
