"""Weights and optimizer state of the original code in a file, matched with a `Glow` and loaded into it."""

import pathlib
from collections.abc import Collection, Iterable, Iterator, Mapping

import keras
import numpy as np

from glow_tf.convert.openai_glow.architecture import infer_config
from glow_tf.convert.openai_glow.frozen_graph import FrozenGraph
from glow_tf.convert.openai_glow.names import list_names, original_names, sort_keys
from glow_tf.convert.openai_glow.sources import open_source
from glow_tf.counts import counted
from glow_tf.errors import ConversionError
from glow_tf.layers.fixed_arrays import fixed_array_problem
from glow_tf.model import Glow

_SHUFFLE_SUFFIX = "/shuffle/indices"

_EMA_ONLY_NOTE = (
    "The file holds trained weights under EMA names alone; they are imported as the weights. The original code writes "
    "such files from whatever weights are live, so without its swap they are the raw weights."
)
_GRAPH_NOTE = (
    "Of a graph the weights, the operations on each weight and the inputs are compared with the public model, the rest "
    "of its operations is not: --check shows whether it is the same model."
)


class OpenAIGlowCheckpoint:
    """A checkpoint, or frozen graph, of the original code and the `Glow` of its architecture.

    Opening it reads names and shapes only; the methods read values.

    Args:
        path: path of the file (see `open_source`).
        bits: bits per channel.
        image_size: `(H, W)` of the images in pixels.
        weight_y: weight of the classifier's loss, used if there is a classifier.
        ignore: names in the file, of weights or of a graph's nodes, to leave out.

    Attributes:
        model: the `Glow`, whose weights are not loaded yet.
        names: original name -> variable of `model`.
        trainable: the original names of trainable variables, in order of creation.
        notes: sentences for the user.

    Raises:
        ConversionError: the file is damaged, or its weights are not those of the public model; the message names them.
    """

    def __init__(
        self,
        path: pathlib.Path | str,
        *,
        bits: int,
        image_size: tuple[int, int],
        weight_y: float = 0.01,
        ignore: Iterable[str] = (),
    ) -> None:
        self._source = open_source(path)
        self.notes: list[str] = []
        ignore = set(ignore)
        unknown = {name for name in ignore if name not in self._source}
        if unknown:
            raise ConversionError(f"asked to ignore what is not in {path}: {list_names(unknown)}.")
        self._weights, self._ema, slots, ema_only = sort_keys(set(self._source.shapes) - ignore)
        if ema_only:
            self.notes.append(_EMA_ONLY_NOTE)
        shapes = {name: self._source.shapes[key] for name, key in self._weights.items()}
        self.model = Glow(infer_config(shapes, bits=bits, image_size=image_size, weight_y=weight_y))
        self.names = original_names(self.model)
        self.trainable = [name for name, variable in self.names.items() if variable.trainable]
        self._check_weights()
        if self._ema:
            self._check("EMA weights", self._ema, self.trainable)
        self._slots = self._checked_slots(slots)
        if isinstance(self._source, FrozenGraph):
            self._source.check(self.model, ignore)
            self.notes.append(_GRAPH_NOTE)

    @property
    def has_ema(self) -> bool:
        """Return whether the file holds EMA weights in addition to the raw ones."""
        return bool(self._ema)

    @property
    def has_slots(self) -> bool:
        """Return whether the file holds the state of the optimizer."""
        return bool(self._slots)

    def load_weights(self) -> None:
        """Set the model's weights to the raw weights.

        Raises:
            ConversionError: a value is damaged or not finite.
        """
        for name, variable in self.names.items():
            self._assign(variable, self._weights[name])
            if name.endswith(_SHUFFLE_SUFFIX):
                self._check_inverse(name)

    def load_ema(self) -> None:
        """Set the model's trainable weights to the EMA weights.

        Raises:
            ConversionError: a value is damaged or not finite.
        """
        for name in self.trainable:
            self._assign(self.names[name], self._ema[name])

    def slots(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield `(original name, first moment, second moment)` of each trainable weight, as NumPy."""
        for i, name in enumerate(self.trainable):
            yield name, self._finite(self._slots[2 * i + 2]), self._finite(self._slots[2 * i + 1])

    def steps(self) -> int:
        """Return the number of training steps taken; the counter of the original code begins at 1.

        Raises:
            ConversionError: the counter is damaged.
        """
        count = int(self._finite(self._slots[0], "iuf"))
        if count < 1:
            raise ConversionError(f"{self._slots[0]}: expected a step counter of at least 1, got {count}.")
        return count - 1

    # Checks of names and shapes.

    def _check_weights(self) -> None:
        inverses = {f"{name}_inverse" for name in self.names if name.endswith(_SHUFFLE_SUFFIX)}
        self._check("weights", {n: key for n, key in self._weights.items() if n not in inverses}, self.names)

    def _check(self, kind: str, keys: Mapping[str, str], expected: Collection[str]) -> None:
        """Raise a `ConversionError` unless `keys`, original name -> key, has the expected names and their shapes."""
        left_over, missing = set(keys) - set(expected), set(expected) - set(keys)
        if left_over or missing:
            parts = [f"{len(left_over)} left over: {list_names(left_over)}"] if left_over else []
            parts += [f"{len(missing)} missing: {list_names(missing)}"] if missing else []
            raise ConversionError(f"the {kind} are not those of the public model; {'; '.join(parts)}.")
        wrong = [
            f"{name} {list(self._source.shapes[keys[name]])}, expected {list(self.names[name].shape)}"
            for name in expected
            if self._source.shapes[keys[name]] != tuple(self.names[name].shape)
        ]
        if wrong:
            raise ConversionError(
                f"{len(wrong)} of the {kind} have another shape than in the public model: {list_names(wrong)}."
            )

    def _checked_slots(self, slots: list[str | None]) -> list[str]:
        """Return the slots if they are a step counter and two moments per weight, else none of them.

        With beta1 = 0 the original code has one moment per weight.
        """
        keys = [key for key in slots if key is not None]
        moment_shapes = [tuple(self.names[name].shape) for name in self.trainable for _ in range(2)]
        if keys == slots and [self._source.shapes[key] for key in keys] == [(), *moment_shapes]:
            return keys
        if slots:
            self.notes.append(
                f"The optimizer's state ({counted(len(slots), 'variable')}) is not a step counter and two moments per "
                "weight; it is left out, and training would resume with a fresh optimizer."
            )
        return []

    # Values.

    def _assign(self, variable: keras.Variable, key: str) -> None:
        value = self._finite(key, np.dtype(variable.dtype).kind)
        problem = fixed_array_problem(key, value)
        if problem:
            raise ConversionError(f"{problem}; the file is damaged.")
        variable.assign(value.astype(variable.dtype))

    def _finite(self, key: str, kinds: str = "f") -> np.ndarray:
        """Return the array of a key; raise a `ConversionError` unless it is of one of NumPy's kinds, and finite."""
        value = np.asarray(self._source.read(key))
        if value.dtype.kind not in kinds:
            raise ConversionError(f"{key} holds {value.dtype}, expected {'integers' if kinds == 'i' else 'floats'}.")
        if not np.all(np.isfinite(value)):
            raise ConversionError(f"{key} holds values that are not finite (NaN or infinite).")
        return value

    def _check_inverse(self, name: str) -> None:
        """Raise a `ConversionError` if the file holds an inverse of a shuffle that is that of another one."""
        order, inverse = np.argsort(self.names[name].numpy()), self._weights.get(f"{name}_inverse")
        if inverse is not None and not np.array_equal(order, self._finite(inverse, "i")):
            raise ConversionError(f"{name}_inverse is not the inverse of {name}.")
