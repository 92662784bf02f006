"""Make the weights of the parts of a flow layer when the layer is built, not in its first call."""

import warnings
from collections.abc import Callable
from typing import Any

import keras

from glow_tf.layers.keras_contract import LayerMixin
from glow_tf.layers.trainable_parts import set_trainable


class MadeParts(LayerMixin):
    """Mixin of flow layers that makes the weights of all parts when the layer is built.

    Keras makes those of a layer without a `build` of its own in the first call. Weights that are loaded before that
    would be lost in silence, and optimizers and bijectors would not have them.
    """

    compute_output_spec: Callable[..., Any]
    event_shape: Any

    def _post_build(self) -> None:
        if self.event_shape is not None and _has_unmade_parts(self):
            layers = list(self._flatten_layers())  # each one before its own parts
            variables = [variable for layer in layers for variable in layer._trainable_variables]
            before: list[tuple[Any, bool]] = [(part, part.trainable) for part in (*layers, *variables)]
            set_trainable(self, True)  # TensorFlow never trains a variable that was made as a frozen one
            try:
                self._make_parts()
            finally:
                for part, trainable in before:
                    set_trainable(part, trainable)
        super()._post_build()

    def _make_parts(self) -> None:
        """Run the layer symbolically, which changes no weight; warn if that fails."""
        x = keras.KerasTensor((None, *self.event_shape), self.compute_dtype)
        try:
            try:
                self.compute_output_spec(x)
            except Exception:  # of any kind, in code of users, which may need labels
                self.compute_output_spec(x, keras.KerasTensor((None,), "int32"))
        except Exception as error:
            warnings.warn(
                f"{self.name}: parts of it make their weights in the first call, and weights that are loaded before "
                "that are lost; build them in its build(). A call to make them now failed: "
                f"{str(error).rpartition('Error encountered:')[2].strip()}",
                stacklevel=2,
            )


def _has_unmade_parts(layer: keras.layers.Layer) -> bool:
    """Return whether a part of a layer, at any depth, is not built; flow layers have made their own parts."""
    return any(not p.built or (not isinstance(p, MadeParts) and _has_unmade_parts(p)) for p in layer._layers)
