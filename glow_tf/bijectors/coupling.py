"""The coupling, and the flow step around it, as bijectors; the layers of the same names document the mathematics."""

from collections.abc import Callable

import keras

from glow_tf import layers
from glow_tf.bijectors.own_layer import OwnLayerBijector
from glow_tf.layers.own_networks import NetworkMaker
from glow_tf.types import ShapeLike, Tensor


class Coupling(OwnLayerBijector):
    """Change one half of the channels by a function of the other, like `tfb.RealNVP` with half of them masked.

    Args:
        kind: `"affine"` or `"additive"`.
        scale: scale of an affine coupling, `"sigmoid"` or `"exp"` (that of `tfb.RealNVP`).
        network: Keras layer or function `[B, ..., C / 2] -> [B, ..., C]` (additive: `C / 2`). Its even output channels
            are the shift and its odd ones the scale. The default is three convolutions for images, three dense layers
            for vectors. The half that is passed on is always the first: put `Reverse`, `Shuffle` or
            `InvertibleConv1x1` between couplings in a chain.
        width: hidden channels of the default network, as the next two an error beside a network of your own.
        network_dtype: dtype inside the default network for images in mixed precision, or None.
        seed: seed of the default network's weights.
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: an option is unknown or has no effect, the number of channels is odd, or the network returns a wrong
            number of channels.
        TypeError: the network is neither a Keras layer nor a function.

    Source: Table 1 and section 3.3 of https://arxiv.org/abs/1807.03039; see `layers.Coupling`.

    Example:
        >>> import tensorflow as tf
        >>> Coupling(event_shape=[4], width=32).forward(tf.ones([2, 4])).shape
        TensorShape([2, 4])
    """

    def __init__(
        self,
        kind: str = "affine",
        *,
        scale: str = "sigmoid",
        network: keras.layers.Layer | Callable[[Tensor], Tensor] | None = None,
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "coupling",
        layer: layers.Coupling | None = None,
    ) -> None:
        super().__init__(layers.Coupling, dict(locals()))


class FlowStep(OwnLayerBijector):
    """Run one step of the flow: actnorm, permutation and coupling.

    Args:
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`.
        coupling: `"affine"` or `"additive"`.
        scale: scale of the affine coupling, `"sigmoid"` or `"exp"`.
        network: function `network(filters)` that makes the coupling network, a Keras layer (see `layers.FlowStep`).
        width: hidden channels of the default network, as the next one an error beside a `network`.
        network_dtype: dtype inside the default network in mixed precision, or None.
        seed: seed of all random weights.
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: an option is unknown or has no effect, or the number of channels is odd.
        TypeError: the network is not a function, or does not make a Keras layer.

    Source: Table 1 and figure 2a of https://arxiv.org/abs/1807.03039; see `layers.FlowStep`.

    Example:
        >>> import tensorflow as tf
        >>> FlowStep(event_shape=[4, 4, 2], width=8).inverse(tf.ones([1, 4, 4, 2])).shape
        TensorShape([1, 4, 4, 2])
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
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "flow_step",
        layer: layers.FlowStep | None = None,
    ) -> None:
        super().__init__(layers.FlowStep, dict(locals()))
