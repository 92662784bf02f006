"""The mechanism of all bijectors here: a bijector makes its layer from its constructor's arguments."""

from glow_tf.bijector import LayerBijector

NOT_THE_LAYERS = ("event_shape", "labels", "validate_args", "name", "layer")
"""Arguments of a bijector's constructor that are no options of the layer."""


class OwnLayerBijector(LayerBijector):
    """Base class of the bijectors that make a flow layer of their own, `.layer`.

    A subclass hands over `dict(locals())`, as TFP's constructors do: its arguments are the layer's options and

        event_shape: the shape of one image `(H, W, C)`, or of one vector, `(C,)` or an int. It builds the layer, unless
            the number of channels is None. By default that of images; the layer is then built in the first call.
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

    def __init__(self, make_layer, arguments, condition=None):
        parameters = {k: v for k, v in arguments.items() if k not in ("self", "__class__")}
        layer = parameters["layer"]
        if layer is None:
            layer = make_layer(**{k: v for k, v in parameters.items() if k not in NOT_THE_LAYERS})
        layer.settle_event(parameters.get("event_shape"))
        parameters["layer"] = layer
        super().__init__(layer, condition, parameters["validate_args"], parameters["name"], parameters=parameters)

    def copy(self, **overrides):
        """Return a copy with other arguments; with another option of the layer it has a new layer, else the same."""
        if not set(overrides) <= set(NOT_THE_LAYERS):
            overrides.setdefault("layer", None)
        return super().copy(**overrides)

    def initialize(self, x):
        """Set data-dependent weights (actnorm) from the batch `x` and return its latents: `layer.initialize`."""
        z = self.layer.initialize(x)
        self._track_weights()
        return z
