"""The parts of a flow as bijectors; their maths is in the tables of the layers of the same names."""

from collections.abc import Callable

import keras

from glow_tf import layers
from glow_tf.bijectors.own_layer import OwnLayerBijector
from glow_tf.types import ShapeLike, Tensor


class ActNorm(OwnLayerBijector):
    """Scale and shift each channel; `initialize(x)` sets the scales and biases from a batch.

    Args:
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.
        DataError: the batch of `initialize` is empty or not finite.

    Source: Table 1 and section 3.1 of https://arxiv.org/abs/1807.03039; see `layers.ActNorm`.

    Example:
        >>> import tensorflow as tf
        >>> ActNorm(event_shape=[3]).forward(tf.ones([2, 3])).shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        *,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "act_norm",
        layer: layers.ActNorm | None = None,
    ) -> None:
        super().__init__(layers.ActNorm, dict(locals()))


class InvertibleConv1x1(OwnLayerBijector):
    """Multiply the channels at every position by a learned matrix.

    Args:
        lu: learn the LU factors of the matrix instead of the matrix.
        seed: seed of the random orthogonal matrix at the start.
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.

    Source: Table 1 and section 3.2 of https://arxiv.org/abs/1807.03039; see `layers.InvertibleConv1x1`.

    Example:
        >>> import tensorflow as tf
        >>> InvertibleConv1x1(event_shape=[3], seed=0).forward(tf.ones([2, 3])).shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        *,
        lu: bool = False,
        seed: int | None = None,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "invertible_conv1x1",
        layer: layers.InvertibleConv1x1 | None = None,
    ) -> None:
        super().__init__(layers.InvertibleConv1x1, dict(locals()))


class Shuffle(OwnLayerBijector):
    """Permute the channels by a fixed random order.

    Args:
        seed: seed of the order.
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.

    Source: sections 3.2 and 5 of https://arxiv.org/abs/1807.03039; see `layers.Shuffle`.

    Example:
        >>> import tensorflow as tf
        >>> Shuffle(event_shape=[3], seed=0).forward(tf.ones([2, 3])).shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "shuffle",
        layer: layers.Shuffle | None = None,
    ) -> None:
        super().__init__(layers.Shuffle, dict(locals()))


class Reverse(OwnLayerBijector):
    """Reverse the order of the channels.

    Args:
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.

    Source: sections 3.2 and 5 of https://arxiv.org/abs/1807.03039; see `layers.Reverse`.

    Example:
        >>> Reverse(event_shape=[2]).forward([1.0, 2.0]).numpy()
        array([2., 1.], dtype=float32)
    """

    def __init__(
        self,
        *,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "reverse",
        layer: layers.Reverse | None = None,
    ) -> None:
        super().__init__(layers.Reverse, dict(locals()))


class Coupling(OwnLayerBijector):
    """Change one half of the channels by a function of the other, as `tfb.RealNVP` with half of them masked.

    Args:
        kind: `"affine"` or `"additive"`.
        scale: scale of an affine coupling, `"sigmoid"` or `"exp"` (that of `tfb.RealNVP`).
        network: Keras layer or function `[B, ..., C / 2] -> [B, ..., C]` (additive: `C / 2`), whose even channels are
            the shift and odd ones the scale; by default three convolutions for images, three dense layers for vectors.
        width: hidden channels of the default network.
        network_dtype: dtype inside the default network in mixed precision, for images, or None.
        seed: seed of the default network's weights.
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: an option is unknown, the number of channels is odd, or the network gives another number of
            channels.
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
        width: hidden channels of the coupling network.
        network_dtype: dtype inside the coupling network in mixed precision, or None.
        seed: seed of all random weights.
        event_shape: shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int; by default images, of a shape
            that the first call gives.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: an option is unknown, or the number of channels is odd.

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


class Squeeze(OwnLayerBijector):
    """Turn each 2x2 block of positions into channels by `inverse`.

    Args:
        event_shape: shape of one image `(H, W, C)`; by default that of the first call.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: the input is no image, or its height or width is odd.

    Source: figure 2b of https://arxiv.org/abs/1807.03039, and section 3.6 of https://arxiv.org/abs/1605.08803;
    see `layers.Squeeze`.

    Example:
        >>> import tensorflow as tf
        >>> Squeeze().inverse(tf.ones([1, 4, 4, 1])).shape
        TensorShape([1, 2, 2, 4])
    """

    def __init__(
        self,
        *,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "squeeze",
        layer: layers.Squeeze | None = None,
    ) -> None:
        super().__init__(layers.Squeeze, dict(locals()))


class Split(OwnLayerBijector):
    """Split the channels by `inverse`: one half, and the other whitened by a Gaussian learned from it.

    Args:
        event_shape: shape of one image `(H, W, C)`; by default that of the first call.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: the input is no image, or has an odd number of channels.

    Source: figure 2b of https://arxiv.org/abs/1807.03039, and section 3.6 of https://arxiv.org/abs/1605.08803;
    see `layers.Split`.

    Example:
        >>> import tensorflow as tf
        >>> [z.shape for z in Split().inverse(tf.ones([1, 4, 4, 2]))]
        [TensorShape([1, 4, 4, 1]), TensorShape([1, 4, 4, 1])]
    """

    def __init__(
        self,
        *,
        event_shape: ShapeLike | int | None = None,
        dtype: str = "float32",
        validate_args: bool = False,
        name: str = "split",
        layer: layers.Split | None = None,
    ) -> None:
        super().__init__(layers.Split, dict(locals()))
