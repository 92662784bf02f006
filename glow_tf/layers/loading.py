"""Load weights; refuse values that are not finite and damaged fixed arrays, with the name of their variable.

Keras reads `.weights.h5` and `.keras` files layer by layer through `load_own_variables`, which checks them. This also
holds for functional models of flow layers. Keras's old `.h5` files, `set_weights` and `tf.train.Checkpoint` do not call
this method and are not checked.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from glow_tf.counts import counted
from glow_tf.errors import RunError
from glow_tf.layers.fixed_arrays import fixed_array_problem
from glow_tf.layers.keras_contract import LayerMixin


def require_finite(values: Iterable[tuple[str, np.ndarray]]) -> None:
    """Raise a `RunError` that names the first array in `values`, pairs `(name, array)`, that is not finite."""
    problem = _find_problem(values)
    if problem:
        raise RunError(problem)


def _find_problem(values: Iterable[tuple[str, np.ndarray]]) -> str:
    for name, value in values:
        bad = np.size(value) - np.count_nonzero(np.isfinite(value))
        if bad:
            return (
                f"the weight {name} is not finite: {bad:,} of its "
                f"{counted(np.size(value), 'value')} (NaN or infinite); the file is damaged, or the training diverged."
            )
    return ""


def loading_problem(error: Exception) -> str:
    """Return the line of a Keras loading error that says what is wrong.

    Keras collects the errors of all layers and raises one error, whose first line only counts them.
    """
    paragraphs = str(error).strip().split("\n\n")
    is_collection = paragraphs[0].startswith("A total of") and len(paragraphs) > 1
    return paragraphs[1 if is_collection else 0].splitlines()[0] if paragraphs[0] else type(error).__name__


def forget_problems(model: keras.layers.Layer) -> None:
    """Forget which weights were damaged in a file that was refused before."""
    for layer in model._flatten_layers():
        if isinstance(layer, FiniteWeights):
            layer._loading_problem = ""


class FiniteWeights(LayerMixin):
    """Mixin of Keras layers that refuses weights that are not finite before it sets any weight of the layer.

    A subclass lists in `_fixed_arrays` the names of the weights that `fixed_array_problem` checks too.
    """

    _fixed_arrays: tuple[str, ...] = ()
    _loading_problem = ""

    def load_own_variables(self, store: Any) -> None:
        """Set the layer's own weights from a Keras store, a mapping of names to arrays.

        Raises:
            RunError: a weight is not finite, or a fixed array is damaged.
        """
        # Keras looks for a layer that failed at its other places in the file too, where nothing is, and reports the
        # last error: that must be this one.
        if len(store.keys()):
            variables = self._trainable_variables + self._non_trainable_variables  # in the order of Keras's own method
            keys = zip(variables, map(str, range(len(variables))), strict=True)
            values = [(v, np.asarray(store[key])) for v, key in keys if key in store]
            self._loading_problem = _find_problem((v.path, value) for v, value in values) or self._find_damage(values)
        if self._loading_problem:
            raise RunError(self._loading_problem)
        super().load_own_variables(store)

    def _find_damage(self, values: Iterable[tuple[keras.Variable, np.ndarray]]) -> str:
        for variable, value in values:
            # Keras itself refuses another shape.
            if variable.name in self._fixed_arrays and value.shape == variable.shape:
                problem = fixed_array_problem(variable.path, value)
                if problem:
                    return f"the weight {problem}; the file is damaged."
        return ""
