"""One step of the flow: actnorm, permutation, coupling (paper, figure 2a)."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from glow_tf.layers.actnorm import ActNorm
from glow_tf.layers.coupling import Coupling, refuse_default_network_options
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.invertible_conv import InvertibleConv1x1, channel_matmul
from glow_tf.layers.own_networks import NamedNetworks, NetworkMaker, check_network_maker
from glow_tf.layers.permutation import make_permutation
from glow_tf.layers.tensors import spatial_size
from glow_tf.types import Config, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class FlowStep(NamedNetworks, FlowLayer):
    """Run one step of the flow: actnorm, then a permutation of the channels, then a coupling layer.

    | | |
    |---|---|
    | function | `z = coupling(permutation(actnorm(x)))` |
    | reverse function | the inverses in the opposite order |
    | log-determinant | the sum of the three |
    | shapes | `[B, H, W, C] -> [B, H, W, C]` or `[B, C] -> [B, C]`, C even |

    With a 1x1 convolution, the first two layers are computed as one matrix and one bias per position.
    `reference_encode` and `reference_decode` are the plain composition, which the tests compare with.

    Args:
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`. It is stored as the attribute `permutation_kind`,
            because `permutation` is the layer.
        coupling: `"affine"` or `"additive"`, stored as the attribute `coupling_kind`.
        scale: scale of the affine coupling, `"sigmoid"` or `"exp"`.
        network: a function `network(filters)` that makes the network of a coupling, a Keras layer with `filters` output
            channels (and `filters / 2` input channels, or `filters` in an additive coupling); by default the networks
            of `Coupling`. A file names it, so it must be registered
            (`keras.saving.register_keras_serializable`).
        width: hidden channels of the default network, as the next one an error beside a `network`.
        network_dtype: dtype inside the default network in mixed precision, or None.
        seed: seed of the step's random weights.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: an option is unknown or has no effect, or the number of channels is odd.
        TypeError: the network is not a function, or does not make a Keras layer.

    Source: Table 1 and figure 2a of https://arxiv.org/abs/1807.03039.

    Example:
        >>> step = FlowStep(width=4, seed=0)
        >>> z, log_det = step.encode(tf.ones([2, 4, 4, 6]))
        >>> z.shape, log_det.shape
        (TensorShape([2, 4, 4, 6]), TensorShape([2]))
    """

    def __init__(
        self,
        *,
        permutation: str = "1x1",
        coupling: str = "affine",
        scale: str = "sigmoid",
        network: NetworkMaker | None = None,
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_network_maker(network, self.name)
        if network is not None:
            refuse_default_network_options(self.name, width=width, network_dtype=network_dtype)
        self.permutation_kind, self.coupling_kind, self.scale = permutation, coupling, scale
        self.network, self.width, self.network_dtype, self.seed = network, width, network_dtype, seed
        common = dict(event_ndims=self.event_ndims, dtype=self.compute_dtype)
        self.actnorm = ActNorm(name="actnorm", **common)
        self.permutation = make_permutation(permutation, seed=seed, name="permutation", **common)
        self.coupling = Coupling(
            coupling,
            scale=scale,
            width=width,
            network_dtype=network_dtype,
            seed=None if seed is None or network is not None else seed + 1,
            name="coupling",
            **common,
        )
        self.coupling.network_maker = network

    @property
    def parts(self) -> tuple[FlowLayer, FlowLayer, FlowLayer]:
        """The three layers, in the order of `encode`."""
        return self.actnorm, self.permutation, self.coupling

    def build(self, input_shape: ShapeLike) -> None:
        """Build the three layers."""
        super().build(input_shape)
        for part in self.parts:
            part.settle_event(self.event_shape)

    @property
    def folds(self) -> bool:
        """True if actnorm and permutation are computed as one matrix and one bias."""
        return isinstance(self.permutation, InvertibleConv1x1)

    @staticmethod
    def fold(steps: "Sequence[FlowStep]", method: str) -> tuple[Tensor, Tensor, Tensor]:
        """Fold actnorm and 1x1 convolution of K steps of one level, in batches.

        Args:
            steps: K steps of one form and size.
            method: `"encode"` or `"decode"`.

        Returns:
            `(matrices, biases, log_det)`, `[K, C, C]`, `[K, C]` and `[K]`: at every position, `x matrix + bias` applies
            actnorm and convolution in the direction of `method`; `log_det` is the log-determinant of this map.
        """
        scales, biases, log_scales = ActNorm.scales_and_biases([s.actnorm for s in steps])
        convolutions = [s.permutation for s in steps]
        if method == "encode":  # (x * scale + bias) W
            matrices, log_abs_det = InvertibleConv1x1.matrices(convolutions)
            biases = tf.squeeze(biases[:, None] @ matrices, 1)
            return scales[:, :, None] * matrices, biases, log_scales + log_abs_det
        matrices, log_abs_det = InvertibleConv1x1.inverse_matrices(convolutions)  # (z W^-1 - bias) / scale
        return matrices / scales[:, None], -biases / scales, -log_scales - log_abs_det

    def run_folded(self, method: str, x: Tensor, matrix: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Compute `method` with the step's folded matrix and bias; the log-determinant covers only the coupling."""
        if method == "encode":
            return self.coupling.encode(channel_matmul(x, matrix, bias))
        z, log_det = self.coupling.decode(x)
        return channel_matmul(z, matrix, bias), log_det

    def _run(self, method: str, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.folds:
            return getattr(self, f"reference_{method}")(x)
        matrices, biases, constants = self.fold([self], method)
        y, log_det = self.run_folded(method, x, matrices[0], biases[0])
        return y, log_det + spatial_size(x) * constants[0]

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._run("encode", x)

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._run("decode", z)

    def reference_encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute `encode` layer by layer."""
        x, log_det = self.actnorm.encode(x)
        for part in (self.permutation, self.coupling):
            x, term = part.encode(x)
            log_det += term
        return x, log_det

    def reference_decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute `decode` layer by layer."""
        z, log_det = self.coupling.decode(z)
        for part in (self.permutation, self.actnorm):
            z, term = part.decode(z)
            log_det += term
        return z, log_det

    def _initialize(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        for part in self.parts:
            x = part.initialize(x)
        return x

    def get_config(self) -> Config:
        """Return the options."""
        return {
            **super().get_config(),
            "permutation": self.permutation_kind,
            "coupling": self.coupling_kind,
            "scale": self.scale,
            "network": self.network_name,
            "width": self.width,
            "network_dtype": self.network_dtype,
            "seed": self.seed,
        }
