"""The L levels of K flow steps (paper, figure 2b)."""

from typing import Any

import keras
import tensorflow as tf

from glow_tf.arguments import check_count
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.options import option_names
from glow_tf.layers.own_networks import NamedNetworks, NetworkMaker
from glow_tf.layers.shared_steps import run_steps
from glow_tf.layers.split import Split
from glow_tf.layers.squeeze import Squeeze
from glow_tf.layers.step import FlowStep
from glow_tf.layers.tensors import scaled
from glow_tf.layers.variables import unnamed_variables
from glow_tf.types import Config, EventShape, Latents, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class MultiScale(NamedNetworks, FlowLayer):
    """Run L levels, each with a squeeze, K flow steps and, except at the last level, a split.

    | | |
    |---|---|
    | function | `x -> [eps_0, ..., eps_{L-2}, h_top]`, finest level first |
    | reverse function | the inverses in the opposite order |
    | log-determinant | the sum over all steps and splits |
    | shapes | level i: `eps_i` `[B, H/2^(i+1), W/2^(i+1), C 2^(i+1)]`; `h_top` has twice those channels |

    Args:
        levels: L. Height and width must be multiples of 2^L.
        depth: K, steps per level.
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`; this and the next options are those of `FlowStep`.
        coupling: `"affine"` or `"additive"`.
        scale: scale of the affine coupling, `"sigmoid"` or `"exp"`.
        network: a function `network(filters)` that makes the network of a coupling, a Keras layer with `filters` output
            channels (and `filters / 2` input channels, or `filters` in an additive coupling); by default the networks
            of `Coupling`. It is called once for each coupling, and saved by its name, so it must be registered
            (`keras.saving.register_keras_serializable`).
        width: hidden channels of the default networks, as the next one an error beside a `network`.
        network_dtype: dtype inside the default networks in mixed precision, or None.
        seed: seed of all random weights.
        recompute: trade time for memory in training; forward-mode derivatives are then
            not supported, nor is a `network` with dropout or batch normalization.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: an option is out of range or has no effect, or height or width is not a multiple of 2^L.
        TypeError: the network is not a function, or does not make a Keras layer.

    Source: figure 2b of https://arxiv.org/abs/1807.03039, and section 3.6 of https://arxiv.org/abs/1605.08803.

    Example:
        >>> flow = MultiScale(levels=2, depth=1, width=4, seed=0)
        >>> latents, log_det = flow.encode(tf.zeros([2, 8, 8, 1]))
        >>> [tuple(v.shape) for v in latents], log_det.shape
        ([(2, 4, 4, 2), (2, 2, 2, 8)], TensorShape([2]))
    """

    def __init__(
        self,
        *,
        levels: int,
        depth: int,
        permutation: str = "1x1",
        coupling: str = "affine",
        scale: str = "sigmoid",
        network: NetworkMaker | None = None,
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        recompute: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_count(levels, f"{self.name}: levels", minimum=1)
        check_count(depth, f"{self.name}: depth", minimum=1)
        self.levels, self.depth, self.seed, self.recompute = levels, depth, seed, recompute
        self.permutation, self.coupling, self.scale = permutation, coupling, scale
        self.network, self.width, self.network_dtype = network, width, network_dtype
        common: dict[str, Any] = dict(event_ndims=3, dtype=self.compute_dtype)
        # One attribute a layer: tf.train.Checkpoint does not look into lists.
        for level in range(levels):
            setattr(self, f"squeeze_{level}", Squeeze(name=f"squeeze_{level}", **common))
            for k in range(depth):
                setattr(self, f"step_{level}_{k}", self._make_step(level, k, **common))
            if level < levels - 1:
                setattr(self, f"split_{level}", Split(name=f"split_{level}", **common))

    def _make_step(self, level: int, k: int, **common: Any) -> FlowStep:
        return FlowStep(
            permutation=self.permutation,
            coupling=self.coupling,
            scale=self.scale,
            network=self.network,
            width=self.width,
            network_dtype=self.network_dtype,
            # A step takes three seeds: the permutation's and two of the coupling network.
            seed=None if self.seed is None else self.seed + 3 * (level * self.depth + k),
            name=f"step_{level}_{k}",
            **common,
        )

    def steps(self, level: int) -> list[FlowStep]:
        """Return the flow steps of a level, in order."""
        return [getattr(self, f"step_{level}_{k}") for k in range(self.depth)]

    def squeeze(self, level: int) -> Squeeze:
        """Return the squeeze at the start of a level."""
        return getattr(self, f"squeeze_{level}")

    def split(self, level: int) -> Split | None:
        """Return the split at the end of a level, or None for the last level."""
        return getattr(self, f"split_{level}") if level < self.levels - 1 else None

    def build(self, input_shape: ShapeLike) -> None:
        """Build all layers, level by level."""
        super().build(input_shape)
        with unnamed_variables():
            self._build_levels(self.event_shape)

    def _build_levels(self, shape: EventShape) -> None:
        for level in range(self.levels):
            for layer in self._level(level):
                layer.settle_event(shape)
                shape = layer.encoded_shape(shape)
            shape = shape[0] if self.split(level) else shape

    def _level(self, level: int) -> list[FlowLayer]:
        layers = [self.squeeze(level), *self.steps(level)]
        return [*layers, self.split(level)] if self.split(level) else layers

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Latents, Tensor]:
        latents, total = [], tf.zeros(tf.shape(x)[:1], x.dtype)
        for level in range(self.levels):
            x, _ = self.squeeze(level).encode(x)
            x, log_det = run_steps(self.steps(level), "encode", x, self.recompute)
            total += log_det
            split = self.split(level)
            if split is not None:
                (x, eps), log_det = split.encode(x)
                total += log_det
                latents.append(eps)
        return [*latents, x], total

    def _decode(self, z: Latents, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        *latents, x = z
        total = tf.zeros(tf.shape(x)[:1], x.dtype)
        for level in reversed(range(self.levels)):
            split = self.split(level)
            if split is not None:
                x, log_det = split.decode([x, latents[level]])
                total += log_det
            x, log_det = run_steps(self.steps(level)[::-1], "decode", x)
            total += log_det
            x, _ = self.squeeze(level).decode(x)
        return x, total

    def _initialize(self, x: Tensor, condition: Tensor | None = None) -> Latents:
        latents = []
        for level in range(self.levels):
            for layer in self._level(level):
                x = layer.initialize(x)
            if self.split(level):
                x, eps = x
                latents.append(eps)
        return [*latents, x]

    def encoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the shapes of all latents, finest level first."""
        shapes, (height, width, channels) = [], event_shape
        for level in range(self.levels):
            height, width, channels = scaled(height, 1, 2), scaled(width, 1, 2), scaled(channels, 4)
            if level < self.levels - 1:
                channels = scaled(channels, 1, 2)
            shapes.append((height, width, channels))
        return shapes

    def decoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the shape of the image for latents of these shapes."""
        height, width, channels = event_shape[-1]
        factor = 2**self.levels
        return (scaled(height, factor), scaled(width, factor), scaled(channels, 1, 2 * factor))

    def get_config(self) -> Config:
        """Return the options."""
        options = {name: getattr(self, name) for name in option_names(MultiScale)}
        return {**super().get_config(), **options, "network": self.network_name}
