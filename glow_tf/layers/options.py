"""The options of a layer: the arguments of its constructor, which are public attributes and shown by `print(layer)`."""

import inspect

import keras


def option_names(layer_class: type[keras.layers.Layer]) -> list[str]:
    """Return the named arguments of a layer's constructor, without those that it passes on as `**kwargs`."""
    parameters = inspect.signature(layer_class.__init__).parameters.values()
    return [p.name for p in parameters if p.name != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


def describe_layer(layer: keras.layers.Layer) -> str:
    """Return `Class(option=value, ...)`, the `repr` of a layer.

    If a sub-layer has the name of an option (`FlowStep.permutation`), the option is read from `<name>_kind`.
    """
    values = {}
    for name in option_names(type(layer)):
        value = getattr(layer, f"{name}_kind", None) or getattr(layer, name, None)
        if not (value is None and name in ("dtype", "event_ndims", "name")):
            values[name] = value
    values.update(dtype=layer.compute_dtype, name=layer.name)
    return f"{type(layer).__name__}({', '.join(f'{name}={_shown(value)}' for name, value in values.items())})"


def _shown(value: object) -> str:
    """Return a value as Python writes it, a function by its name."""
    return getattr(value, "__name__", "") or repr(value)
