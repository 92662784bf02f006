"""Layers of the networks inside the flow that are zero at the start (paper, section 3.3)."""

import keras
import tensorflow as tf

from glow_tf.layers.actnorm import LOG_SCALE_FACTOR
from glow_tf.layers.convolutions import conv3x3, edge_markers
from glow_tf.layers.keras_contract import TracedOutputs, require_full_precision
from glow_tf.layers.loading import FiniteWeights
from glow_tf.layers.options import describe_layer


class NetworkLayer(FiniteWeights, TracedOutputs, keras.layers.Layer):
    """Base class of the networks here: weights and inputs in the flow's dtype, whatever Keras's global policy."""

    def __init__(self, *, dtype=None, **kwargs):
        super().__init__(dtype=dtype or "float32", autocast=False, **kwargs)
        require_full_precision(self)

    @property
    def output_channels(self):
        """The number of output channels."""
        return self.filters

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.output_channels)

    def get_config(self):
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "dtype": self.compute_dtype}

    def __repr__(self):
        return describe_layer(self)


@keras.saving.register_keras_serializable("glow_tf")
class ZeroConv3x3(NetworkLayer):
    """3x3 convolution that is zero at the start: `(conv(x) + b) * exp(3 logs)`, all three weights zero.

    `[B, H, W, in] -> [B, H, W, filters]`; `W` `[3, 3, in + 1, filters]`. Source: section 3.3 of the paper.

    Args:
        filters: output channels.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape):
        self.W = self.add_weight(shape=(3, 3, input_shape[-1] + 1, self.filters), initializer="zeros", name="W")
        self.b = self.add_weight(shape=(1, 1, 1, self.filters), initializer="zeros", name="b")
        self.logs = self.add_weight(shape=(1, self.filters), initializer="zeros", name="logs")

    def folded_weights(self):
        """Return `(kernel, bias)` with the gain folded in, `[3, 3, in + 1, filters]` and `[filters]`."""
        gain = tf.exp(LOG_SCALE_FACTOR * tf.reshape(self.logs.value, [-1]))
        return self.W.value * gain, tf.reshape(self.b.value, [-1]) * gain

    def call(self, x):
        kernel, bias = self.folded_weights()
        return conv3x3(x, kernel) + bias

    def output_for_zeros(self, height, width):
        """Return the output `[1, H, W, filters]` for an input of zeros; `b`, `logs` and the edge markers remain."""
        markers = edge_markers(height, width, self.W.value.dtype)
        edges = tf.nn.conv2d(markers, self.W.value[:, :, -1:], 1, "VALID")
        return (edges + self.b.value) * tf.exp(LOG_SCALE_FACTOR * self.logs.value)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("glow_tf")
class ZeroDense(NetworkLayer):
    """Dense layer that is zero at the start: `(x W + b) * exp(3 logs)`, `[B, in] -> [B, units]`.

    Args:
        units: output channels.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    @property
    def output_channels(self):
        return self.units

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[-1], self.units), initializer="zeros", name="W")
        self.b = self.add_weight(shape=(1, self.units), initializer="zeros", name="b")
        self.logs = self.add_weight(shape=(1, self.units), initializer="zeros", name="logs")

    def call(self, x):
        return (x @ self.W.value + self.b.value) * tf.exp(LOG_SCALE_FACTOR * self.logs.value)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
