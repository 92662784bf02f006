"""One step of the flow: actnorm, permutation, coupling (paper, figure 2a)."""

import keras
import tensorflow as tf

from glow_tf.layers.actnorm import Actnorm
from glow_tf.layers.coupling import Coupling
from glow_tf.layers.flow import FlowLayer, package, spatial_size
from glow_tf.layers.permutation import InvertibleConv1x1, channel_matmul, permutation


@keras.saving.register_keras_serializable(package)
class FlowStep(FlowLayer):
    """Actnorm, then a permutation of the channels, then a coupling layer.

    `[B, H, W, C] -> [B, H, W, C]`, C even; the log-determinants add up.

    Args:
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`.
        coupling: `"affine"` or `"additive"`.
        scale: of the affine coupling, `"sigmoid"` or `"exp"`.
        width: hidden channels of the coupling network.
        network_dtype: dtype inside the coupling network.
        seed: seed of the step's random weights.
    """

    def __init__(
        self,
        *,
        permutation="1x1",
        coupling="affine",
        scale="sigmoid",
        width=512,
        network_dtype=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.options = dict(
            permutation=permutation,
            coupling=coupling,
            scale=scale,
            width=width,
            network_dtype=network_dtype,
            seed=seed,
        )
        common = dict(event_ndims=self.event_ndims, dtype=self.compute_dtype)
        self.actnorm = Actnorm(name="actnorm", **common)
        self.permutation = make_permutation(permutation, seed=seed, name="permutation", **common)
        self.coupling = Coupling(
            coupling,
            scale=scale,
            width=width,
            network_dtype=network_dtype,
            seed=None if seed is None else seed + 1,
            name="coupling",
            **common,
        )

    @property
    def parts(self):
        return self.actnorm, self.permutation, self.coupling

    def build(self, input_shape):
        self._settle(input_shape)
        for part in self.parts:
            if not part.built:
                part.build(input_shape)

    def _encode(self, x, condition=None):
        if not isinstance(self.permutation, InvertibleConv1x1):
            return self.plain_encode(x)
        # Actnorm and the 1x1 convolution are one matrix and one bias: (x * scale + bias) W.
        scale, bias = self.actnorm.scale_and_bias()
        matrix = self.permutation.matrix()
        bias = tf.reshape(bias[None] @ matrix, [-1])
        z, log_det = self.coupling.encode(channel_matmul(x, scale[:, None] * matrix, bias))
        return z, log_det + self._constant_log_det(x)

    def _decode(self, z, condition=None):
        if not isinstance(self.permutation, InvertibleConv1x1):
            return self.plain_decode(z)
        z, log_det = self.coupling.decode(z)
        scale, bias = self.actnorm.scale_and_bias()
        x = channel_matmul(z, self.permutation.inverse_matrix() / scale, -bias / scale)
        return x, log_det - self._constant_log_det(z)

    def _constant_log_det(self, x):
        """What actnorm and the 1x1 convolution add, the same for every example."""
        return spatial_size(x) * (self.actnorm.log_scale_sum() + self.permutation.log_abs_det())

    def plain_encode(self, x):
        """`encode` part by part."""
        x, log_det = self.actnorm.encode(x)
        for part in (self.permutation, self.coupling):
            x, term = part.encode(x)
            log_det += term
        return x, log_det

    def plain_decode(self, z):
        """`decode` part by part."""
        z, log_det = self.coupling.decode(z)
        for part in (self.permutation, self.actnorm):
            z, term = part.decode(z)
            log_det += term
        return z, log_det

    def _initialize(self, x, condition=None):
        for part in self.parts:
            x = part.initialize(x)
        return x

    def get_config(self):
        return {**super().get_config(), **self.options}


make_permutation = permutation  # the constructor's argument has the same name
