"""The options of a layer: its constructor's arguments, each a public attribute, as `print(layer)` shows them."""

import inspect

import keras


def option_names(layer_class: type[keras.layers.Layer]) -> list[str]:
    """Return the arguments that a layer's constructor names, without those it passes on as `**kwargs`."""
    parameters = inspect.signature(layer_class.__init__).parameters.values()
    return [p.name for p in parameters if p.name != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


def describe_layer(layer: keras.layers.Layer) -> str:
    """Return `Class(option=value, ...)`, what `repr(layer)` gives.

    An option whose name a sub-layer has (`FlowStep.permutation`) is read from the attribute `<name>_kind`.
    """
    values = {}
    for name in option_names(type(layer)):
        value = getattr(layer, f"{name}_kind", None) or getattr(layer, name, None)
        if not (value is None and name in ("dtype", "event_ndims", "name")):
            values[name] = value
    values.update(dtype=layer.compute_dtype, name=layer.name)
    return f"{type(layer).__name__}({', '.join(f'{name}={value!r}' for name, value in values.items())})"
