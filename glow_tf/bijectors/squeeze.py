"""Squeeze and split as bijectors; the layers of the same names document the mathematics."""

from glow_tf import layers
from glow_tf.bijectors.own_layer import OwnLayerBijector
from glow_tf.types import ShapeLike


class Squeeze(OwnLayerBijector):
    """Turn each 2x2 block of positions into channels in `inverse`; `forward` undoes this.

    Args:
        event_shape: shape of one image `(H, W, C)`; by default that of the first call.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: the input is not an image, or its height or width is odd.

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
    """Split the channels in `inverse`: pass on one half, and whiten the other with a Gaussian computed from the first.

    Args:
        event_shape: shape of one image `(H, W, C)`; by default that of the first call.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree.

    Raises:
        ValueError: the input is not an image, or has an odd number of channels.

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
