"""The parts of a flow as bijectors; their maths is in the tables of the layers of the same names."""

from typing import Any

from glow_tf import layers
from glow_tf.bijectors.own_layer import OwnLayerBijector


class ActNorm(OwnLayerBijector):
    """Affine map with one bias and one scale per channel; `initialize(x)` sets them from a batch.

    Arguments: see `OwnLayerBijector`.

    Example:
        >>> ActNorm(event_shape=[3]).forward(tf.ones([2, 3])).shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        *,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "act_norm",
        layer: layers.ActNorm | None = None,
    ):
        super().__init__(layers.ActNorm, dict(locals()))


class InvertibleConv1x1(OwnLayerBijector):
    """Learned linear map of the channels at every position.

    Args:
        lu: learn the LU factors of the matrix instead of the matrix.
        seed: seed of the random orthogonal matrix at the start.

    Other arguments: see `OwnLayerBijector`.

    Example:
        >>> InvertibleConv1x1(event_shape=[3], seed=0).forward(tf.ones([2, 3])).shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        *,
        lu: bool = False,
        seed: int | None = None,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "invertible_conv1x1",
        layer: layers.InvertibleConv1x1 | None = None,
    ):
        super().__init__(layers.InvertibleConv1x1, dict(locals()))


class Shuffle(OwnLayerBijector):
    """Fixed random permutation of the channels, drawn with `seed`. Other arguments: see `OwnLayerBijector`.

    Example:
        >>> Shuffle(event_shape=[3], seed=0).forward(tf.ones([2, 3])).shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "shuffle",
        layer: layers.Shuffle | None = None,
    ):
        super().__init__(layers.Shuffle, dict(locals()))


class Reverse(OwnLayerBijector):
    """Reversal of the order of the channels. Arguments: see `OwnLayerBijector`.

    Example:
        >>> Reverse(event_shape=[2]).forward([1.0, 2.0]).numpy()
        array([2., 1.], dtype=float32)
    """

    def __init__(
        self,
        *,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "reverse",
        layer: layers.Reverse | None = None,
    ):
        super().__init__(layers.Reverse, dict(locals()))


class Coupling(OwnLayerBijector):
    """Coupling layer, affine or additive, as one of `tfb.RealNVP` with half of the channels masked.

    Args:
        kind: `"affine"` or `"additive"`.
        scale: scale of an affine coupling, `"sigmoid"` or `"exp"` (that of `tfb.RealNVP`).
        network: Keras layer or function `[B, ..., C / 2] -> [B, ..., C]` (additive: `C / 2`), whose even channels are
            the shift and odd ones the scale; by default three convolutions for images, three dense layers for vectors.
        width, network_dtype, seed: options of the default network.

    Other arguments: see `OwnLayerBijector`.

    Example:
        >>> Coupling(event_shape=[4], width=32).forward(tf.ones([2, 4])).shape
        TensorShape([2, 4])
    """

    def __init__(
        self,
        kind: str = "affine",
        *,
        scale: str = "sigmoid",
        network: Any = None,
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "coupling",
        layer: layers.Coupling | None = None,
    ):
        super().__init__(layers.Coupling, dict(locals()))


class FlowStep(OwnLayerBijector):
    """Flow step: actnorm, permutation and coupling.

    Args:
        permutation: `"1x1"`, `"lu"`, `"shuffle"` or `"reverse"`.
        coupling: `"affine"` or `"additive"`.
        scale, width, network_dtype: see `Coupling`.
        seed: seed of all random weights.

    Other arguments: see `OwnLayerBijector`.

    Example:
        >>> FlowStep(event_shape=[4, 4, 2], width=8).inverse(tf.ones([1, 4, 4, 2])).shape
        TensorShape([1, 4, 4, 2])
    """

    def __init__(
        self,
        *,
        permutation: str = "1x1",
        coupling: str = "affine",
        scale: str = "sigmoid",
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "flow_step",
        layer: layers.FlowStep | None = None,
    ):
        super().__init__(layers.FlowStep, dict(locals()))


class Squeeze(OwnLayerBijector):
    """Squeeze: `inverse` turns each 2x2 block of positions into channels. Arguments: see `OwnLayerBijector`.

    Example:
        >>> Squeeze().inverse(tf.ones([1, 4, 4, 1])).shape
        TensorShape([1, 2, 2, 4])
    """

    def __init__(
        self,
        *,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "squeeze",
        layer: layers.Squeeze | None = None,
    ):
        super().__init__(layers.Squeeze, dict(locals()))


class Split(OwnLayerBijector):
    """Split: `inverse` gives a list, one half of the channels, and the other whitened by a Gaussian learned from it.

    Arguments: see `OwnLayerBijector`.

    Example:
        >>> [z.shape for z in Split().inverse(tf.ones([1, 4, 4, 2]))]
        [TensorShape([1, 4, 4, 1]), TensorShape([1, 4, 4, 1])]
    """

    def __init__(
        self,
        *,
        event_shape: Any = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "split",
        layer: layers.Split | None = None,
    ):
        super().__init__(layers.Split, dict(locals()))
