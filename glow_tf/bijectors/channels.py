"""Maps of the channels at every position, as bijectors; the layers of the same names document the mathematics."""

from glow_tf import layers
from glow_tf.bijectors.own_layer import OwnLayerBijector
from glow_tf.types import ShapeLike


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
