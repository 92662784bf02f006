"""Which parts of a layer or model are trained, as data that its configuration can store.

Keras stores `trainable` for a model and for the layers in its configuration, but not for layers and variables that a
layer makes itself. Without these values, frozen parts of a loaded model would be trained, and its optimizer would not
have the saved one's variables.

A part is identified by its position in its owner: Keras gives an unnamed layer a different name in every model.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import keras

from glow_tf.layers.keras_contract import LayerMixin
from glow_tf.types import Config


class FrozenWithParts(LayerMixin):
    """Mixin of Keras layers and models that freezes what a frozen one makes or is given as a part.

    Keras does so for variables alone: it would train the parts of a layer that is made with `trainable=False`, as that
    of a loaded model is, or that is frozen before it is built.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if not getattr(self, "_trainable", True):
            for part in keras.tree.flatten(value):  # of a list of layers
                if isinstance(part, keras.layers.Layer):
                    set_trainable(part, False)


class StoredParts(FrozenWithParts):
    """Mixin of Keras layers whose configuration stores which of their parts are trained."""

    def __init__(self, *, trainable_parts: Mapping[str, bool] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Pairs, because Keras and TensorFlow track dictionaries; set after the build, which makes some of the parts.
        self._stored_parts = tuple((trainable_parts or {}).items())

    def _post_build(self) -> None:
        super()._post_build()
        set_trainable_parts(self, dict(self._stored_parts))

    def get_config(self) -> Config:
        """Return the configuration of Keras, and which parts are trained."""
        parts = trainable_parts(self)
        return {**super().get_config(), **({"trainable_parts": parts} if parts else {})}


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
            set_trainable(part, trainable)


def set_trainable(part: Any, trainable: bool) -> None:
    """Set `trainable` of a layer and all its parts, or of a variable.

    TensorFlow ignores an assignment of the value that an attribute has, which would not reach the parts.
    """
    part.trainable = not trainable
    part.trainable = trainable


def _parts(layer: keras.layers.Layer, position: str = "", name: str = "") -> Iterator[_Part]:
    """Yield all layers and trainable variables below a layer."""
    for i, variable in enumerate(layer._trainable_variables):
        yield _Part(f"{position}weight {i}", f"{name}{variable.name}", variable, layer)
    for i, part in enumerate(layer._layers):
        part_position, part_name = f"{position}layer {i}", f"{name}{part.name}"
        yield _Part(part_position, part_name, part, layer)
        yield from _parts(part, f"{part_position}, ", f"{part_name}.")
