"""`GlowFlow`: the whole flow from images to standard normal latents (paper, figure 2b)."""

from typing import Any

import keras

from glow_tf.labels import require_labels
from glow_tf.layers.multiscale import MultiScale
from glow_tf.layers.own_networks import NetworkMaker
from glow_tf.layers.prior import TopPrior
from glow_tf.types import Config, Latents, ShapeLike, Tensor, TensorLike


@keras.saving.register_keras_serializable("glow_tf")
class GlowFlow(MultiScale):
    """Map images to latents that are standard normal under the model: the whole of Glow as one flow.

    | | |
    |---|---|
    | function | `x -> [eps_0, ..., eps_{L-1}]`: the levels of `MultiScale`, then `TopPrior` whitens `h_top` |
    | reverse function | the inverses in the opposite order |
    | log-determinant | the sum of both |
    | shapes | those of `MultiScale`; `eps_{L-1}` has the shape of `h_top` |

    Only the top prior reads the condition.

    Args:
        levels: L. Height and width must be multiples of 2^L.
        depth: K, steps per level.
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`.
        coupling: `"affine"` or `"additive"`.
        scale: scale of the affine coupling, `"sigmoid"` or `"exp"`.
        network: a function `network(filters)` that makes the network of a coupling, a Keras layer with `filters` output
            channels (and `filters / 2` input channels, or `filters` in an additive coupling); by default the networks
            of `Coupling`. It is called once for each coupling, and saved by its name, so it must be registered
            (`keras.saving.register_keras_serializable`).
        width: hidden channels of the default networks, as the next one an error beside a `network`.
        network_dtype: dtype inside the default networks in mixed precision, or None.
        seed: seed of all random weights.
        recompute: trade time for memory in training (see `MultiScale`).
        learn_top: learn the top prior's mean and standard deviation (see `TopPrior`).
        classes: number of labels of a conditional flow; 0 is unconditional.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: an option is out of range or has no effect, height or width is not a multiple of 2^L, or labels are
            missing for a conditional flow or given to an unconditional one.
        TypeError: the network is not a function, or does not make a Keras layer.

    Source: figure 2b of https://arxiv.org/abs/1807.03039.

    Example:
        >>> import tensorflow as tf
        >>> flow = GlowFlow(levels=2, depth=1, width=8, seed=0)
        >>> eps, log_det = flow.encode(tf.zeros([4, 8, 8, 1]))
        >>> [tuple(e.shape) for e in eps]
        [(4, 4, 4, 2), (4, 2, 2, 8)]
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
        learn_top: bool = True,
        classes: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            levels=levels,
            depth=depth,
            permutation=permutation,
            coupling=coupling,
            scale=scale,
            network=network,
            width=width,
            network_dtype=network_dtype,
            seed=seed,
            recompute=recompute,
            **kwargs,
        )
        self.learn_top, self.classes = learn_top, classes
        self.prior = TopPrior(learned=learn_top, classes=classes, event_ndims=3, dtype=self.compute_dtype, name="prior")

    def build(self, input_shape: ShapeLike) -> None:
        """Build the levels, then the top prior."""
        super().build(input_shape)
        self.prior.settle_event(self.encoded_shape(self.event_shape)[-1])

    def encode_to_top(self, x: Tensor) -> tuple[Latents, Tensor]:
        """Return `([eps_0, ..., eps_{L-2}, h_top], log_det)`, without the top prior; the classifier reads `h_top`."""
        return super()._encode(x)

    def whiten_top(
        self, latents: Latents, log_det: Tensor, condition: TensorLike | None = None
    ) -> tuple[Latents, Tensor]:
        """Replace `h_top` by `eps_{L-1}`: the second half of `encode`."""
        *latents, top = latents
        eps, term = self.prior.encode(top, self._checked_condition(condition))
        return [*latents, eps], log_det + term

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Latents, Tensor]:
        return self.whiten_top(*self.encode_to_top(x), condition)

    def _decode(self, z: Latents, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        *latents, eps = z
        top, term = self.prior.decode(eps, self._checked_condition(condition))
        x, log_det = super()._decode([*latents, top])
        return x, log_det + term

    def _initialize(self, x: Tensor, condition: Tensor | None = None) -> Latents:
        labels = self._checked_condition(condition)
        *latents, top = super()._initialize(x)
        return [*latents, self.prior.initialize(top, labels)]

    def _checked_condition(self, condition: TensorLike | None) -> TensorLike | None:
        """Return the condition; raise if the flow is unconditional, because it would ignore the condition."""
        require_labels(condition, self.classes, self.name)
        return condition

    def get_config(self) -> Config:
        """Return the options."""
        return {**super().get_config(), "learn_top": self.learn_top, "classes": self.classes}
