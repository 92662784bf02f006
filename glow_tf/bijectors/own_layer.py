"""The mechanism of all bijectors here: a bijector makes its layer from its constructor's arguments."""

from collections.abc import Callable, Mapping
from typing import Any, Self

from glow_tf.bijector import LayerBijector
from glow_tf.layers.flow import FlowLayer
from glow_tf.types import TensorLike

NOT_THE_LAYERS = ("event_shape", "labels", "validate_args", "name", "layer")
"""Arguments of a bijector's constructor that are not options of the layer."""


class OwnLayerBijector(LayerBijector):
    """Make the bijector's own flow layer, `.layer`: the base class of the bijectors here.

    A subclass passes `dict(locals())`, as TFP's constructors do. Its arguments are the layer's options and

        event_shape: the shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int. The layer is built for it,
            unless the number of channels is None. By default the shape of an image; the first call then builds the
            layer.
        dtype: `"float32"` or `"float64"`.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a layer to share in place of a new one, with which the other options agree. Copies and slices of a
            bijector share its layer in this way.

    Args:
        make_layer: function of the options that makes the layer.
        arguments: arguments of the subclass's constructor.
        condition: labels, or None.
    """

    def __init__(
        self,
        make_layer: Callable[..., FlowLayer],
        arguments: Mapping[str, Any],
        condition: TensorLike | None = None,
    ) -> None:
        parameters = {k: v for k, v in arguments.items() if k not in ("self", "__class__")}
        layer = parameters["layer"]
        if layer is None:
            layer = make_layer(**{k: v for k, v in parameters.items() if k not in NOT_THE_LAYERS})
        layer.settle_event(parameters.get("event_shape"))
        parameters["layer"] = layer
        super().__init__(layer, condition, parameters["validate_args"], parameters["name"], parameters=parameters)

    def copy(self, **overrides: Any) -> Self:
        """Return a copy with other arguments; it has a new layer if an option of the layer changes, else the same."""
        if not set(overrides) <= set(NOT_THE_LAYERS):
            overrides.setdefault("layer", None)
        return super().copy(**overrides)
