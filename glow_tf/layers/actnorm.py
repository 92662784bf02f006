"""Actnorm: activation normalization (paper, section 3.1)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from glow_tf.errors import DataError
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.tensors import broadcast_per_example, spatial_size
from glow_tf.types import ShapeLike, Tensor

LOG_SCALE_FACTOR = 3.0
"""The original code stores `logs` divided by this factor, which speeds up its learning."""


@keras.saving.register_keras_serializable("glow_tf")
class ActNorm(FlowLayer):
    """Scale and shift each channel; initialized such that the first batch has mean 0 and variance 1 per channel.

    | | |
    |---|---|
    | function | `z = (x + b) * exp(3 logs)` |
    | reverse function | `x = z * exp(-3 logs) - b` |
    | log-determinant | `h * w * sum(3 logs)` |
    | shapes | `[B, ..., C] -> [B, ..., C]`, any number of spatial axes; `b`, `logs` `[1, ..., 1, C]` |
    | start | the identity; `initialize(x)` sets `b`, `logs` so that `z` has mean 0 and variance 1 per channel |

    Source: Table 1 and section 3.1 of https://arxiv.org/abs/1807.03039. The paper writes `y = s * x + b`; the original
    code adds the bias first and has the factor 3.

    Args:
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.
        DataError: the batch of `initialize` is empty or not finite.

    Example:
        >>> layer = ActNorm()
        >>> x = tf.random.normal([64, 8, 8, 3])
        >>> z = layer.initialize(x)
        >>> z, log_det = layer.encode(x)
        >>> z.shape, log_det.shape
        (TensorShape([64, 8, 8, 3]), TensorShape([64]))
    """

    is_constant_jacobian = True

    def build(self, input_shape: ShapeLike) -> None:
        """Make `b` and `logs`."""
        super().build(input_shape)
        shape = (1,) * self.event_ndims + (self.channels,)
        self.b = self.add_weight(shape=shape, initializer="zeros", name="b")
        self.logs = self.add_weight(shape=shape, initializer="zeros", name="logs")

    def scale_and_bias(self) -> tuple[Tensor, Tensor]:
        """Return `(scale, bias)`, each `[C]`, with `z = x * scale + bias`; for folding into a convolution."""
        scale = tf.exp(LOG_SCALE_FACTOR * tf.reshape(self.logs.value, [-1]))
        return scale, tf.reshape(self.b.value, [-1]) * scale

    @staticmethod
    def scales_and_biases(layers: "Sequence[ActNorm]") -> tuple[Tensor, Tensor, Tensor]:
        """Return `(scales, biases, log_dets)` of K layers: `[K, C]`, `[K, C]`, and `[K]` for a single position."""
        log_scales = LOG_SCALE_FACTOR * tf.reshape(tf.stack([v.logs.value for v in layers]), [len(layers), -1])
        scales = tf.exp(log_scales)
        biases = tf.reshape(tf.stack([v.b.value for v in layers]), [len(layers), -1]) * scales
        return scales, biases, tf.reduce_sum(log_scales, -1)

    def log_scale_sum(self) -> Tensor:
        """Return the log-determinant at one position, a scalar."""
        return LOG_SCALE_FACTOR * tf.reduce_sum(self.logs.value)

    def _log_det(self, x: Tensor) -> Tensor:
        return broadcast_per_example(spatial_size(x) * self.log_scale_sum(), x)

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (x + self.b.value) * tf.exp(LOG_SCALE_FACTOR * self.logs.value), self._log_det(x)

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z * tf.exp(-LOG_SCALE_FACTOR * self.logs.value) - self.b.value, -self._log_det(z)

    def _initialize(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        axes = list(range(x.shape.rank - 1))
        mean = tf.reduce_mean(x, axes, keepdims=True)
        std = tf.sqrt(tf.reduce_mean(tf.square(x - mean), axes, keepdims=True))
        self.assign_from_statistics(mean, std)
        return self._encode(x)[0]

    def assign_from_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Set `b` and `logs` so that values of this mean and standard deviation per channel get mean 0, deviation 1.

        Raises:
            DataError: the statistics are not finite (in eager code); neither weight is set then.
        """
        b = tf.reshape(-mean, self.b.shape)
        logs = tf.reshape(tf.math.log(1.0 / (std + 1e-6)) / LOG_SCALE_FACTOR, self.logs.shape)
        if tf.executing_eagerly() and not tf.reduce_all(tf.math.is_finite(tf.stack([b, logs]))):
            raise DataError(
                f"{self.path or self.name}: the mean or the standard deviation of the batch is NaN or infinite; "
                "initialize from finite images, with finite weights."
            )
        self.b.assign(b)
        self.logs.assign(logs)
