"""Inverses and determinants of several square matrices at once, for the 1x1 convolutions of a level."""

from typing import Any

import tensorflow as tf

from glow_tf.layers.tensors import compiled_by_xla, static_size
from glow_tf.types import Tensor


@tf.custom_gradient
def inverse_and_log_abs_det(w: Tensor) -> Any:
    """Compute `(w^-1, log |det w|)` of square matrices `[K, C, C]` at once, without overflow.

    It uses a QR decomposition, or, under XLA, where QR becomes a long program, elimination.

    Returns:
        `[K, C, C]` and `[K]`.
    """
    inverse, log_abs_det = (eliminate if compiled_by_xla() else _from_qr)(w)

    def gradient(d_inverse: Tensor, d_log_abs_det: Tensor) -> Tensor:
        transposed = tf.linalg.adjoint(inverse)
        # TensorFlow's stubs do not know `...` in brackets.
        d_log_abs_det = d_log_abs_det[..., None, None]  # pyright: ignore[reportArgumentType]
        return d_log_abs_det * transposed - transposed @ d_inverse @ transposed

    return (inverse, log_abs_det), gradient


def _from_qr(w: Tensor) -> tuple[Tensor, Tensor]:
    q, r = tf.linalg.qr(w)
    inverse = tf.linalg.triangular_solve(r, tf.linalg.adjoint(q), lower=False)
    return inverse, tf.reduce_sum(tf.math.log(tf.abs(tf.linalg.diag_part(r))), -1)


def eliminate(w: Tensor) -> tuple[Tensor, Tensor]:
    """Compute `(w^-1, log |det w|)` of `[K, C, C]` by Gauss-Jordan elimination with the largest pivot of each column.

    Row operations turn `[w, 1]` into `[p, p w^-1]`, where `p` is a permutation matrix: rows are not exchanged.
    """
    size = static_size(w)

    def body(column: Tensor, rows: Tensor, is_free: Tensor, log_abs_det: Tensor) -> tuple[Tensor, ...]:
        values = rows[:, :, column]
        is_pivot = tf.one_hot(tf.argmax(tf.where(is_free, tf.abs(values), -1.0), -1), size, True, False)
        pivot = tf.reduce_sum(tf.where(is_pivot, values, 0.0), -1)
        row = tf.reduce_sum(tf.where(is_pivot[:, :, None], rows, 0.0), 1) / pivot[:, None]
        others = rows - values[:, :, None] * row[:, None]
        rows = tf.where(is_pivot[:, :, None], row[:, None], others)
        return column + 1, rows, is_free & ~is_pivot, log_abs_det + tf.math.log(tf.abs(pivot))

    rows = tf.concat([w, tf.eye(size, batch_shape=tf.shape(w)[:1], dtype=w.dtype)], -1)
    state = (tf.constant(0), rows, tf.ones(tf.shape(w)[:2], tf.bool), tf.zeros(tf.shape(w)[:1], w.dtype))
    _, rows, _, log_abs_det = tf.while_loop(lambda column, *_: column < size, body, state, maximum_iterations=size)
    permutation, permuted_inverse = tf.split(rows, 2, -1)
    return tf.gather(permuted_inverse, tf.argmax(permutation, 1), batch_dims=1), log_abs_det
