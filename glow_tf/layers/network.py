"""The network of a coupling layer: three convolutions, optionally in mixed precision.

**Mixed precision.** The plain code is `reference_call`, in the layer's dtype. Within the context `mixed_precision()`
the three convolutions run in the layer's `network_dtype` instead; weights, inputs, outputs and the rest of the flow
stay in float32. The context variable is read when Python runs the layer, so a `tf.function` keeps the precision in
which it was *traced*, wherever it is called later. The training step and `Glow.sample(mixed=True)` enter the context.
`Glow.encode`, `Glow.decode` and exports never do, because a flow with rounded networks is not inverted exactly. On one
H100 a training step at K=32 takes 0.30 to 0.43 of the time of float32; the CPUs it was measured on emulate bfloat16.
benchmarks/README.md has the effect on the result.
"""

import contextvars
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from glow_tf.layers.actnorm import ActNorm
from glow_tf.layers.context_values import value_set
from glow_tf.layers.convolutions import conv3x3, three_convolutions
from glow_tf.layers.statistics import conv1_mean_and_std, conv2_mean_and_std
from glow_tf.layers.zero_layers import NetworkLayer, ZeroConv3x3
from glow_tf.types import Config, ShapeLike, Tensor

_mixed_precision = contextvars.ContextVar("mixed_precision", default=False)


def mixed_precision(active: bool = True) -> AbstractContextManager[None]:
    """Compute coupling networks in their `network_dtype` within the context; read at trace time (see above).

    Args:
        active: False restores full precision inside another context.

    Example:
        >>> network = CouplingNetwork(2, width=4, network_dtype="bfloat16")
        >>> with mixed_precision():
        ...     network(tf.zeros([1, 4, 4, 1])).dtype
        tf.float32
    """
    return value_set(_mixed_precision, active)


def mixed_precision_active() -> bool:
    """Return whether the context `mixed_precision` is active."""
    return _mixed_precision.get()


@keras.saving.register_keras_serializable("glow_tf")
class CouplingNetwork(NetworkLayer):
    """Compute the shift and scale of a coupling of images with three convolutions.

    The layers: 3x3 to `width`, actnorm, ReLU; 1x1, actnorm, ReLU; 3x3 to `filters`, zero at the start.
    `[B, H, W, in] -> [B, H, W, filters]`. Source: section 3.3 of https://arxiv.org/abs/1807.03039, and the
    original code.

    Args:
        filters: output channels.
        width: hidden channels, 512 in the paper.
        network_dtype: dtype of the convolutions within `mixed_precision()`, `"float32"`, `"bfloat16"` or
            `"float16"` (None: the layer's dtype). Weights, input and output keep the layer's dtype: mixed
            precision exists here and nowhere else.
        seed: seed of the hidden kernels, `N(0, 0.05)`.
        **kwargs: `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64.
        DataError: the batch of `initialize` has NaN or infinite values.

    Example:
        >>> CouplingNetwork(6, width=4)(tf.ones([2, 4, 4, 3])).shape
        TensorShape([2, 4, 4, 6])
    """

    def __init__(
        self,
        filters: int,
        *,
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.width, self.network_dtype, self.seed = filters, width, network_dtype, seed
        self.actnorm_1 = ActNorm(event_ndims=3, dtype=self.compute_dtype, name="actnorm_1")
        self.actnorm_2 = ActNorm(event_ndims=3, dtype=self.compute_dtype, name="actnorm_2")
        self.conv_3 = ZeroConv3x3(filters, dtype=self.compute_dtype, name="conv_3")

    def build(self, input_shape: ShapeLike) -> None:
        """Make the kernels, then the parts' weights."""

        def normal(offset: int) -> keras.initializers.Initializer:
            return keras.initializers.RandomNormal(0.0, 0.05, None if self.seed is None else self.seed + offset)

        *spatial, channels = input_shape[1:]
        assert channels is not None
        self.W_1 = self.add_weight(shape=(3, 3, channels + 1, self.width), initializer=normal(0), name="W_1")
        self.W_2 = self.add_weight(shape=(1, 1, self.width, self.width), initializer=normal(1), name="W_2")
        for part in (self.actnorm_1, self.actnorm_2, self.conv_3):
            if not part.built:
                part.build((None, *spatial, self.width))

    def call(self, x: Tensor) -> Tensor:
        """Compute `[B, H, W, filters]` for `x` `[B, H, W, in]`."""
        # Each actnorm and the final gain are folded into the preceding convolution, saving one pass over the
        # activations each.
        dtype = (mixed_precision_active() and self.network_dtype) or self.compute_dtype
        scale_1, bias_1 = self.actnorm_1.scale_and_bias()
        scale_2, bias_2 = self.actnorm_2.scale_and_bias()
        weights = (self.W_1.value * scale_1, bias_1, self.W_2.value * scale_2, bias_2, *self.conv_3.folded_weights())
        y = three_convolutions(*(tf.cast(v, dtype) for v in (x, *weights)))
        return tf.cast(y, x.dtype)

    def reference_call(self, x: Tensor, initialize: bool = False) -> Tensor:
        """Compute the network layer by layer, in the layer's dtype: the reference of the tests.

        Args:
            x: `[B, H, W, in]`.
            initialize: also set the actnorms from the data.
        """

        def actnorm(layer: ActNorm, h: Tensor) -> Tensor:
            return layer.initialize(h) if initialize else layer.encode(h)[0]

        h = tf.nn.relu(actnorm(self.actnorm_1, conv3x3(x, self.W_1.value)))
        h = tf.nn.relu(actnorm(self.actnorm_2, tf.nn.conv2d(h, self.W_2.value, 1, "SAME")))
        return self.conv_3(h)

    def initialize(self, x: Tensor) -> Tensor:
        """Set both actnorms from the batch `x` and return the output."""
        # Tensors: a tf.function given a mirrored variable keeps the first one it saw.
        w_1, w_2 = tf.convert_to_tensor(self.W_1.value), tf.convert_to_tensor(self.W_2.value)
        self.actnorm_1.assign_from_statistics(*conv1_mean_and_std(x, w_1))
        scale_1, bias_1 = self.actnorm_1.scale_and_bias()
        self.actnorm_2.assign_from_statistics(*conv2_mean_and_std(x, w_1 * scale_1, bias_1, w_2))
        if tf.math.count_nonzero(self.conv_3.W.value) > 0:
            return self(x)
        bias = self.conv_3.folded_weights()[1]  # the last kernel is zero, so the output is the bias
        return tf.broadcast_to(bias, tf.concat([tf.shape(x)[:-1], [self.filters]], 0))

    def get_config(self) -> Config:
        """Return the options."""
        config = {key: getattr(self, key) for key in ("filters", "width", "network_dtype", "seed")}
        return {**super().get_config(), **config}
