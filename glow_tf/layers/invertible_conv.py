"""The invertible 1x1 convolution, plain and in its LU form (paper, section 3.2)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import scipy.linalg
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.matrices import inverse_and_log_abs_det
from glow_tf.layers.tensors import broadcast_per_example, reshape_like, spatial_size, static_size
from glow_tf.types import Config, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class InvertibleConv1x1(FlowLayer):
    """Multiply the channels by a learned matrix, a generalization of a permutation of the channels.

    | | |
    |---|---|
    | function | `z = x W` at every position |
    | reverse function | `x = z W^-1` |
    | log-determinant | `h * w * log abs(det W)`; with `lu=True` it is `h * w * sum(log_S)` |
    | shapes | `[B, ..., C] -> [B, ..., C]`; `W` `[C, C]` |
    | start | `W` is a random orthogonal matrix, so the log-determinant is 0 |

    Args:
        lu: learn the factors `W = P (tril(L, -1) + I) (triu(U, 1) + diag(sign_S * exp(log_S)))` (equation 10)
            instead of `W`, with the permutation `P` and the signs fixed. The initial `W` is the same in both forms.
        seed: seed of the random matrix.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.

    Source: Table 1 and section 3.2 of https://arxiv.org/abs/1807.03039. `W` multiplies row vectors, as in the
    original code.

    Example:
        >>> layer = InvertibleConv1x1(lu=True, seed=0)
        >>> z, log_det = layer.encode(tf.ones([2, 4, 4, 3]))
        >>> bool(tf.reduce_all(tf.abs(log_det) < 1e-4))
        True
    """

    is_constant_jacobian = True
    _fixed_arrays = ("P", "sign_S")

    def __init__(self, *, lu: bool = False, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lu, self.seed = lu, seed

    def build(self, input_shape: ShapeLike) -> None:
        """Make `W`, or its factors."""
        super().build(input_shape)
        w = random_orthogonal(self.channels, self.seed, self.compute_dtype)
        if not self.lu:
            self.W = self._matrix("W", w)
            return
        # Its types do not tell that there are three results without other arguments.
        p, lower, upper = scipy.linalg.lu(w)  # pyright: ignore[reportAssignmentType]
        diagonal = np.diag(upper)
        self.L = self._matrix("L", lower)
        self.U = self._matrix("U", np.triu(upper, 1))
        self.log_S = self._matrix("log_S", np.log(np.abs(diagonal)))
        self.P = self._matrix("P", p, trainable=False)
        self.sign_S = self._matrix("sign_S", np.sign(diagonal), trainable=False)

    def _matrix(self, name: str, value: np.ndarray, trainable: bool = True) -> keras.Variable:
        return self.add_weight(shape=value.shape, initializer=lambda *_, **__: value, trainable=trainable, name=name)

    def matrix(self) -> Tensor:
        """Return `W` `[C, C]`; the LU form computes it from its factors."""
        return self.matrices([self])[0][0]

    @staticmethod
    def matrices(layers: "Sequence[InvertibleConv1x1]") -> tuple[Tensor, Tensor]:
        """Return `W` `[K, C, C]` and `log |det W|` `[K]` of K layers of one form and size."""
        if layers[0].lu:
            lower, upper, p, log_abs_det = _factors(layers)
            return p @ (lower @ upper), log_abs_det
        w = _stack(layers, "W")
        return w, inverse_and_log_abs_det(w)[1]

    @staticmethod
    def inverse_matrices(layers: "Sequence[InvertibleConv1x1]") -> tuple[Tensor, Tensor]:
        """Return `W^-1` `[K, C, C]` and `log |det W|` `[K]`; from the LU factors, `W^-1 = U^-1 L^-1 P^T`."""
        if layers[0].lu:
            lower, upper, p, log_abs_det = _factors(layers)
            lower_inverse_p = tf.linalg.triangular_solve(lower, tf.linalg.adjoint(p))
            return tf.linalg.triangular_solve(upper, lower_inverse_p, lower=False), log_abs_det
        return inverse_and_log_abs_det(_stack(layers, "W"))

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        matrices, log_abs_det = self.matrices([self])
        return channel_matmul(x, matrices[0]), broadcast_per_example(spatial_size(x) * log_abs_det[0], x)

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        matrices, log_abs_det = self.inverse_matrices([self])
        return channel_matmul(z, matrices[0]), broadcast_per_example(-spatial_size(z) * log_abs_det[0], z)

    def get_config(self) -> Config:
        """Return the options."""
        return {**super().get_config(), "lu": self.lu, "seed": self.seed}


def channel_matmul(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute `out_j = sum_i x_i w[i, j] (+ bias_j)` at every position of `x` `[B, ..., C]`, as one matrix product."""
    product = tf.reshape(x, [-1, w.shape[0]]) @ w
    if bias is not None:
        product = tf.nn.bias_add(product, bias)
    return reshape_like(x, product, static_size(w))


def random_orthogonal(channels: int, seed: int | None, dtype: str) -> np.ndarray:
    """Return a random orthogonal matrix `[C, C]` as NumPy: Q of the QR decomposition of a Gaussian matrix."""
    with tf.init_scope():
        return np.asarray(keras.initializers.Orthogonal(seed=seed)((channels, channels), dtype))


def _stack(layers: Sequence[InvertibleConv1x1], name: str) -> Tensor:
    """Stack the weight of that name of all layers."""
    return tf.stack([getattr(layer, name).value for layer in layers])


def _factors(layers: Sequence[InvertibleConv1x1]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return `L`, `U` with their fixed entries filled in, `P`, each `[K, C, C]`, and `log |det W|` `[K]`."""
    log_s = _stack(layers, "log_S")
    lower = tf.linalg.set_diag(tf.linalg.band_part(_stack(layers, "L"), -1, 0), tf.ones_like(log_s))
    diagonal = _stack(layers, "sign_S") * tf.exp(log_s)
    upper = tf.linalg.set_diag(tf.linalg.band_part(_stack(layers, "U"), 0, -1), diagonal)
    return lower, upper, _stack(layers, "P"), tf.reduce_sum(log_s, -1)
