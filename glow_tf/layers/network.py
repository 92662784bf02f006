"""The networks inside the flow: zero layers, the coupling network."""

import contextlib
import contextvars

import keras
import tensorflow as tf

from glow_tf.layers.actnorm import LOG_SCALE_FACTOR, Actnorm
from glow_tf.layers.convolutions import conv3x3, edge_markers, three_convolutions
from glow_tf.layers.flow import package
from glow_tf.layers.moments import first_moments, second_moments

_mixed = contextvars.ContextVar("mixed_precision", default=False)


@contextlib.contextmanager
def mixed_precision(active=True):
    """Within the context coupling networks compute in their `network_dtype`; training does, encoding never.

    A flow whose networks are rounded is no longer exactly inverted, so everything outside runs in full precision.
    """
    token = _mixed.set(active)
    try:
        yield
    finally:
        _mixed.reset(token)


def mixed_precision_active():
    """Return whether the context `mixed_precision` is active."""
    return _mixed.get()


class NetworkLayer(keras.layers.Layer):
    """Base of the layers here: weights and inputs in the flow's dtype, whatever Keras's global policy."""

    def __init__(self, *, dtype=None, **kwargs):
        super().__init__(dtype=dtype or "float32", autocast=False, **kwargs)

    def get_config(self):
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "dtype": self.compute_dtype}


@keras.saving.register_keras_serializable(package)
class ZeroConv3x3(NetworkLayer):
    """3x3 convolution that is zero at the start: `(conv(x) + b) * exp(3 logs)`, all three weights zero.

    `[B, H, W, in] -> [B, H, W, filters]`; `W` `[3, 3, in + 1, filters]`. Source: section 3.3.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape):
        self.W = self.add_weight(shape=(3, 3, input_shape[-1] + 1, self.filters), initializer="zeros", name="W")
        self.b = self.add_weight(shape=(1, 1, 1, self.filters), initializer="zeros", name="b")
        self.logs = self.add_weight(shape=(1, self.filters), initializer="zeros", name="logs")

    def folded(self):
        """`(kernel, bias)` with the gain folded in, `[3, 3, in + 1, filters]` and `[filters]`."""
        gain = tf.exp(LOG_SCALE_FACTOR * tf.reshape(self.logs.value, [-1]))
        return self.W.value * gain, tf.reshape(self.b.value, [-1]) * gain

    def call(self, x):
        kernel, bias = self.folded()
        return conv3x3(x, kernel) + bias

    def of_zeros(self, height, width):
        """The output `[1, H, W, filters]` for an input of zeros, where only `b`, `logs` and the markers act."""
        markers = edge_markers(height, width, self.W.value.dtype)
        edges = tf.nn.conv2d(markers, self.W.value[:, :, -1:], 1, "VALID")
        return (edges + self.b.value) * tf.exp(LOG_SCALE_FACTOR * self.logs.value)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable(package)
class ZeroDense(NetworkLayer):
    """Dense layer that is zero at the start: `(x W + b) * exp(3 logs)`, `[B, in] -> [B, units]`."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[-1], self.units), initializer="zeros", name="W")
        self.b = self.add_weight(shape=(1, self.units), initializer="zeros", name="b")
        self.logs = self.add_weight(shape=(1, self.units), initializer="zeros", name="logs")

    def call(self, x):
        return (x @ self.W.value + self.b.value) * tf.exp(LOG_SCALE_FACTOR * self.logs.value)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package)
class CouplingNetwork(NetworkLayer):
    """The three convolutions of a coupling layer (paper, section 3.3 and appendix B).

    3x3 to `width`, actnorm, ReLU; 1x1, actnorm, ReLU; 3x3 to `filters`, zero at the start.
    `[B, H, W, in] -> [B, H, W, filters]`.

    Args:
        filters: output channels.
        width: hidden channels, 512 in the paper.
        network_dtype: dtype of the convolutions within `mixed_precision()`, `"float32"`, `"bfloat16"` or
            `"float16"` (None: the layer's own). Weights, input and output keep the layer's dtype: mixed
            precision lives here and nowhere else.
        seed: seed of the hidden kernels, `N(0, 0.05)`.
    """

    def __init__(self, filters, *, width=512, network_dtype=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.width, self.network_dtype, self.seed = filters, width, network_dtype, seed
        self.actnorm_1 = Actnorm(event_ndims=3, dtype=self.compute_dtype, name="actnorm_1")
        self.actnorm_2 = Actnorm(event_ndims=3, dtype=self.compute_dtype, name="actnorm_2")
        self.conv_3 = ZeroConv3x3(filters, dtype=self.compute_dtype, name="conv_3")

    def build(self, input_shape):
        def normal(offset):
            return keras.initializers.RandomNormal(0.0, 0.05, None if self.seed is None else self.seed + offset)

        *spatial, channels = input_shape[1:]
        self.W_1 = self.add_weight(shape=(3, 3, channels + 1, self.width), initializer=normal(0), name="W_1")
        self.W_2 = self.add_weight(shape=(1, 1, self.width, self.width), initializer=normal(1), name="W_2")
        for part in (self.actnorm_1, self.actnorm_2, self.conv_3):
            if not part.built:
                part.build((None, *spatial, self.width))

    def call(self, x):
        # Each actnorm, and the last gain, is folded into the convolution before it: passes over activations less.
        dtype = (_mixed.get() and self.network_dtype) or self.compute_dtype
        scale_1, bias_1 = self.actnorm_1.scale_and_bias()
        scale_2, bias_2 = self.actnorm_2.scale_and_bias()
        weights = (self.W_1.value * scale_1, bias_1, self.W_2.value * scale_2, bias_2, *self.conv_3.folded())
        y = three_convolutions(*(tf.cast(v, dtype) for v in (x, *weights)))
        return tf.cast(y, x.dtype)

    def plain(self, x, initialize=False):
        """The same map part by part, in the layer's dtype; with `initialize` the actnorms are set on the way."""

        def actnorm(layer, h):
            return layer.initialize(h) if initialize else layer.encode(h)[0]

        h = tf.nn.relu(actnorm(self.actnorm_1, conv3x3(x, self.W_1.value)))
        h = tf.nn.relu(actnorm(self.actnorm_2, tf.nn.conv2d(h, self.W_2.value, 1, "SAME")))
        return self.conv_3(h)

    def initialize(self, x):
        """Sets both actnorms from the batch `x` and returns the output."""
        # Tensors: a tf.function given a mirrored variable keeps the first one it saw.
        w_1, w_2 = tf.convert_to_tensor(self.W_1.value), tf.convert_to_tensor(self.W_2.value)
        self.actnorm_1.set_from(*first_moments(x, w_1))
        scale_1, bias_1 = self.actnorm_1.scale_and_bias()
        self.actnorm_2.set_from(*second_moments(x, w_1 * scale_1, bias_1, w_2))
        if tf.math.count_nonzero(self.conv_3.W.value) > 0:
            return self(x)
        bias = self.conv_3.folded()[1]  # a fresh network gives nothing else
        return tf.broadcast_to(bias, tf.concat([tf.shape(x)[:-1], [self.filters]], 0))

    def get_config(self):
        config = {key: getattr(self, key) for key in ("filters", "width", "network_dtype", "seed")}
        return {**super().get_config(), **config}
