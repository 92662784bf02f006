"""The levels of Glow, and the whole of it, as bijectors."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import layers
from glow_tf.bijectors.own_layer import OwnLayerBijector
from glow_tf.labels import labels_of_any_shape
from glow_tf.layers.own_networks import NetworkMaker
from glow_tf.types import ShapeLike, Tensor, TensorLike


class MultiScale(OwnLayerBijector):
    """Run L levels of a squeeze, K flow steps and a split; `inverse` gives a list of latents, finest level first.

    Args:
        levels: L. Height and width must be multiples of 2^L.
        depth: K, the number of flow steps per level.
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`.
        coupling: `"affine"` or `"additive"`.
        scale: scale of the affine coupling, `"sigmoid"` or `"exp"`.
        network: function `network(filters)` that makes each coupling network, a Keras layer (see `layers.GlowFlow`).
        width: hidden channels of the default networks, as the next one an error beside a `network`.
        network_dtype: dtype inside the default networks in mixed precision, or None.
        seed: seed of all random weights.
        recompute: trade time for memory in training.
        event_shape: shape of one image `(H, W, C)`; by default that of the first call.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: an option is out of range or has no effect, or height or width is not a multiple of 2^L.
        TypeError: the network is not a function, or does not make a Keras layer.

    Source: figure 2b of https://arxiv.org/abs/1807.03039, and section 3.6 of https://arxiv.org/abs/1605.08803;
    see `layers.MultiScale`.

    Example:
        >>> flow = MultiScale(2, 1, width=8)
        >>> [z.shape for z in flow.inverse(tf.ones([1, 8, 8, 1]))]
        [TensorShape([1, 4, 4, 2]), TensorShape([1, 2, 2, 8])]
    """

    def __init__(
        self,
        levels: int,
        depth: int,
        *,
        permutation: str = "1x1",
        coupling: str = "affine",
        scale: str = "sigmoid",
        network: NetworkMaker | None = None,
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        recompute: bool = False,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "multi_scale",
        layer: layers.MultiScale | None = None,
    ) -> None:
        super().__init__(layers.MultiScale, dict(locals()))


class Glow(OwnLayerBijector):
    """Map a vector `[H * W * C]` to an image `[H, W, C]` with the whole Glow flow, in the layout of `tfb.Glow`.

    The vector holds the latents of all levels, finest first; they are standard normal under the model. `.layer` is a
    `FlatFlow` over a `GlowFlow`. With `flat=False`, `.layer` is the `GlowFlow`, and the latents are a list.

    Args:
        image_shape: `(H, W, C)` (`output_shape` of `tfb.Glow`); H and W must be multiples of 2^levels.
        levels: L (`num_glow_blocks`).
        depth: K (`num_steps_per_block`).
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`.
        coupling: `"affine"` or `"additive"`.
        scale: scale of the affine coupling, `"sigmoid"` or `"exp"`.
        network: function `network(filters)` that makes each coupling network, a Keras layer (see `layers.GlowFlow`).
        width: hidden channels of the default networks, as the next one an error beside a `network`.
        network_dtype: dtype inside the default networks in mixed precision, or None.
        seed: seed of all random weights.
        recompute: trade time for memory in training.
        learn_top: learn mean and standard deviation of the last latent.
        classes: number of labels of a conditional flow; 0 is unconditional.
        labels: labels, int from 0 to `classes - 1`; their shape is the bijector's batch shape. Without them, every call
            of a conditional flow must pass labels: `condition=`, or `bijector_kwargs={"condition": ...}`.
        flat: the latents are one vector.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: an option is out of range or has no effect, height or width is not a multiple of 2^L, or labels are
            given to an unconditional flow.
        TypeError: the network is not a function, or does not make a Keras layer.
        DataError: a label is out of range.

    Source: figure 2b of https://arxiv.org/abs/1807.03039; see `layers.GlowFlow`.

    Example:
        >>> import tensorflow_probability as tfp
        >>> flow = Glow((8, 8, 1), levels=2, depth=1, width=8)
        >>> images = flow(tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), 64))
        >>> images.sample(4).shape
        TensorShape([4, 8, 8, 1])
    """

    def __init__(
        self,
        image_shape: ShapeLike = (32, 32, 3),
        levels: int = 3,
        depth: int = 32,
        *,
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
        labels: TensorLike | None = None,
        flat: bool = True,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "glow",
        layer: layers.FlowLayer | None = None,
    ) -> None:
        parameters = dict(locals())
        if labels is not None:
            checked_labels = labels_of_any_shape(labels, classes, name)
            labels = labels if isinstance(labels, tf.Variable) else checked_labels  # later values of a variable count
        super().__init__(_make_glow, parameters, labels)

    @property
    def labels(self) -> Tensor | tf.Variable | None:
        """The labels as a tensor, or None."""
        return self.condition

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {"labels": tfp.util.ParameterProperties(event_ndims=0)}


def _make_glow(image_shape: ShapeLike, flat: bool, **options: Any) -> layers.FlowLayer:
    flow = layers.GlowFlow(**options)
    flow.settle_event(image_shape)
    if not flat:
        return flow
    flat_flow = layers.FlatFlow(flow)
    flat_flow.settle_event(image_shape)
    return flat_flow
