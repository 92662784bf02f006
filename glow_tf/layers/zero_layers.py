"""Layers of the networks inside the flow that are zero at the start (paper, section 3.3)."""

from typing import Any

import keras
import tensorflow as tf

from glow_tf.layers.actnorm import LOG_SCALE_FACTOR
from glow_tf.layers.convolutions import conv3x3, edge_markers
from glow_tf.layers.keras_contract import TracedOutputs, UncastWeights, require_full_precision
from glow_tf.layers.loading import FiniteWeights
from glow_tf.layers.options import describe_layer
from glow_tf.layers.trainable_parts import StoredParts
from glow_tf.types import Config, ShapeLike, Tensor


class NetworkLayer(FiniteWeights, UncastWeights, TracedOutputs, StoredParts, keras.layers.Layer):
    """Keep weights and inputs in the flow's dtype, regardless of Keras's global policy: the networks' base class.

    Args:
        dtype: `"float32"` (the default) or `"float64"`.
        **kwargs: options of `keras.layers.Layer`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64.
    """

    def __init__(self, *, dtype: str | None = None, **kwargs: Any) -> None:
        super().__init__(dtype=dtype or "float32", autocast=False, **kwargs)
        require_full_precision(self)

    @property
    def output_channels(self) -> int:
        """The number of output channels."""
        return self.filters

    def compute_output_shape(self, input_shape: ShapeLike) -> tuple[int | None, ...]:
        """Return the shape of the output: the shape of the input with another number of channels."""
        return (*input_shape[:-1], self.output_channels)

    def get_config(self) -> Config:
        """Return the options."""
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "dtype": self.compute_dtype}

    def __repr__(self) -> str:
        return describe_layer(self)


@keras.saving.register_keras_serializable("glow_tf")
class ZeroConv3x3(NetworkLayer):
    """Compute a 3x3 convolution that is zero at the start: `(conv(x) + b) * exp(3 logs)`, all three weights zero.

    `[B, H, W, in] -> [B, H, W, filters]`; `W` `[3, 3, in + 1, filters]`. Source: section 3.3 of
    https://arxiv.org/abs/1807.03039.

    Args:
        filters: output channels.
        **kwargs: `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64.

    Example:
        >>> y = ZeroConv3x3(2)(tf.ones([1, 4, 4, 3]))
        >>> y.shape, float(tf.reduce_max(tf.abs(y)))
        (TensorShape([1, 4, 4, 2]), 0.0)
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape: ShapeLike) -> None:
        """Make `W`, `b` and `logs`."""
        channels = input_shape[-1]
        assert channels is not None
        self.W = self.add_weight(shape=(3, 3, channels + 1, self.filters), initializer="zeros", name="W")
        self.b = self.add_weight(shape=(1, 1, 1, self.filters), initializer="zeros", name="b")
        self.logs = self.add_weight(shape=(1, self.filters), initializer="zeros", name="logs")

    def folded_weights(self) -> tuple[Tensor, Tensor]:
        """Return `(kernel, bias)` with the gain folded in, `[3, 3, in + 1, filters]` and `[filters]`."""
        gain = tf.exp(LOG_SCALE_FACTOR * tf.reshape(self.logs.value, [-1]))
        return self.W.value * gain, tf.reshape(self.b.value, [-1]) * gain

    def call(self, x: Tensor) -> Tensor:
        """Compute `[B, H, W, filters]` for `x` `[B, H, W, in]`."""
        kernel, bias = self.folded_weights()
        return conv3x3(x, kernel) + bias

    def output_for_zeros(self, height: int | Tensor, width: int | Tensor) -> Tensor:
        """Return the output `[1, H, W, filters]` for an input of zeros; `b`, `logs` and the edge markers remain."""
        markers = edge_markers(height, width, self.W.value.dtype)
        edges = tf.nn.conv2d(markers, self.W.value[:, :, -1:], 1, "VALID")
        return (edges + self.b.value) * tf.exp(LOG_SCALE_FACTOR * self.logs.value)

    def get_config(self) -> Config:
        """Return the options."""
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("glow_tf")
class ZeroDense(NetworkLayer):
    """Compute a dense layer that is zero at the start: `(x W + b) * exp(3 logs)`, `[B, in] -> [B, units]`.

    Source: section 3.3 of https://arxiv.org/abs/1807.03039, for vectors.

    Args:
        units: output channels.
        **kwargs: `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64.

    Example:
        >>> ZeroDense(2)(tf.ones([1, 3])).numpy().tolist()
        [[0.0, 0.0]]
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    @property
    def output_channels(self) -> int:
        """The number of output channels."""
        return self.units

    def build(self, input_shape: ShapeLike) -> None:
        """Make `W`, `b` and `logs`."""
        self.W = self.add_weight(shape=(input_shape[-1], self.units), initializer="zeros", name="W")
        self.b = self.add_weight(shape=(1, self.units), initializer="zeros", name="b")
        self.logs = self.add_weight(shape=(1, self.units), initializer="zeros", name="logs")

    def call(self, x: Tensor) -> Tensor:
        """Compute `[B, units]` for `x` `[B, in]`."""
        return (x @ self.W.value + self.b.value) * tf.exp(LOG_SCALE_FACTOR * self.logs.value)

    def get_config(self) -> Config:
        """Return the options."""
        return {**super().get_config(), "units": self.units}
