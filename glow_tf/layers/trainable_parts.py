"""Which parts of a model are trained, as data that its configuration can keep.

Keras keeps `trainable` of a model and of the layers that are in its configuration, but not of layers and variables that
a layer makes itself. Without it, the optimizer of a loaded model would not have the saved one's variables.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras


def trainable_parts(model: keras.layers.Layer) -> dict[str, bool]:
    """Return `{path: trainable}` of every layer and variable that differs from the layer that owns it."""
    return {path: part.trainable for path, part, owner in _parts(model) if part.trainable != owner.trainable}


def set_trainable_parts(model: keras.layers.Layer, parts: Mapping[str, bool]) -> None:
    """Set `trainable` of the parts of a model as `trainable_parts` returned them."""
    for path, part, _ in _parts(model):  # a layer comes before its parts, whose `trainable` it sets too
        if path in parts:
            part.trainable = parts[path]


def _parts(layer: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, Any, keras.layers.Layer]]:
    """Yield `(path, part, owner)` of all layers and trainable variables below a layer."""
    for variable in layer._trainable_variables:
        yield f"{prefix}{variable.name}", variable, layer
    for part in layer._layers:
        path = f"{prefix}{part.name}"
        yield path, part, layer
        yield from _parts(part, f"{path}.")
