"""Which parts of a model are trained, as data that its configuration can store.

Keras stores `trainable` for a model and for the layers in its configuration, but not for layers and variables that a
layer makes itself. Without these values, the optimizer of a loaded model would not have the saved one's variables.

A part is identified by its position in its owner: Keras gives an unnamed layer a different name in every model.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import keras


class _Part(NamedTuple):
    position: str
    name: str  # by which configurations of commits before the positions name it
    part: Any
    owner: keras.layers.Layer


def trainable_parts(model: keras.layers.Layer) -> dict[str, bool]:
    """Return `{position: trainable}` of every layer and variable that differs from the layer that owns it."""
    return {p.position: p.part.trainable for p in _parts(model) if p.part.trainable != p.owner.trainable}


def set_trainable_parts(model: keras.layers.Layer, parts: Mapping[str, bool]) -> None:
    """Set `trainable` of the parts of a model to the values that `trainable_parts` returned."""
    for position, name, part, _ in _parts(model):  # a layer comes before its parts, whose `trainable` it sets too
        trainable = parts.get(position, parts.get(name))
        if trainable is not None:
            part.trainable = trainable


def _parts(layer: keras.layers.Layer, position: str = "", name: str = "") -> Iterator[_Part]:
    """Yield all layers and trainable variables below a layer."""
    for i, variable in enumerate(layer._trainable_variables):
        yield _Part(f"{position}weight {i}", f"{name}{variable.name}", variable, layer)
    for i, part in enumerate(layer._layers):
        part_position, part_name = f"{position}layer {i}", f"{name}{part.name}"
        yield _Part(part_position, part_name, part, layer)
        yield from _parts(part, f"{part_position}, ", f"{part_name}.")
