"""`Original`: the original's weights in a file, matched with a model of ours and loaded into it."""

import re

import numpy as np

from glow_tf.model import Glow
from glow_tf.openai.architecture import infer_config
from glow_tf.openai.errors import OpenaiError, listed
from glow_tf.openai.frozen_graph import FrozenGraph
from glow_tf.openai.names import original_names
from glow_tf.openai.sources import AVERAGE, open_source

_SLOT = re.compile(r"Variable(_\d+)?")
_INVERSE = "/shuffle/indices_inverse"
_UNTRAINED = re.compile(r".*/(shuffle/indices(_inverse)?|invconv/(P|sign_S))")
"""What is not trained has no average: `m.save_ema` writes it under its plain name beside the averages of the rest."""


class Original:
    """A file of the original's and the model that fits it. Nothing is read but names and shapes until asked for.

    Args:
        path: see `Checkpoint` and `FrozenGraph`.
        bits, image_size, weight_y: see `infer_config`.
        ignore: names in the file, of weights or a graph's nodes, to leave out knowingly.

    `model` is a `Glow`, not yet loaded; `notes` are lines for the user.

    Raises:
        OpenaiError: the file is damaged, or its weights and the public model's are not the same; names them.
    """

    def __init__(self, path, *, bits, image_size, weight_y=0.01, ignore=()):
        self.source, self.notes = open_source(path), []
        ignore = set(ignore)
        unknown = {name for name in ignore if name not in self.source}
        if unknown:
            raise OpenaiError(f"asked to ignore what is not in {path}: {listed(unknown)}.")
        self._sort(set(self.source.shapes) - ignore)
        config = infer_config(
            {n: self.source.shapes[key] for n, key in self._weights.items()},
            bits=bits,
            image_size=image_size,
            weight_y=weight_y,
        )
        self.model = Glow(config)
        self.names = original_names(self.model)
        self.trainable = [n for n, v in self.names.items() if v.trainable]
        self._match_weights()
        self._match_averages()
        self._match_slots()
        if isinstance(self.source, FrozenGraph):
            self.source.check(self.model, ignore)
            self.notes.append(
                "Of a graph the weights, what is done with each, and the inputs are compared, the rest of its "
                "operations is not: --check shows whether it is the same model."
            )

    @property
    def has_averages(self):
        """Whether the file holds averages beside the weights."""
        return bool(self._averages)

    @property
    def has_slots(self):
        """Whether the file holds the state of the optimizer."""
        return bool(self._slots)

    def load_weights(self):
        """Sets the model's weights to the raw weights."""
        for name, variable in self.names.items():
            self._assign(variable, self._weights[name])
        for name, key in self._weights.items():
            if name.endswith(_INVERSE):
                self._check_shuffle(name, key)

    def load_averages(self):
        """Sets the model's trainable weights to the averages."""
        for name in self.trainable:
            self._assign(self.names[name], self._averages[name])

    def slots(self):
        """Yields `(name, first moment, second moment)` of each trainable weight."""
        for i, name in enumerate(self.trainable):
            yield name, self._finite(self._slots[2 * i + 2]), self._finite(self._slots[2 * i + 1])

    def steps(self):
        """Training steps behind the weights; the original's counter begins at 1."""
        return int(self.source.read(self._slots[0])) - 1

    # Which name is what.

    def _sort(self, keys):
        """Sorts the file's names into weights, averages and optimizer slots, each `{original's name: key}`."""
        shadows_alone = all(key.endswith(AVERAGE) or _UNTRAINED.fullmatch(key) for key in keys)
        if shadows_alone:
            self.notes.append(
                "The file holds what is trained under names of averages alone, imported as the weights; the original "
                "writes such files from whatever weights are live, so without its swap they are the raw weights."
            )
        plain = {k.removesuffix(AVERAGE): k for k in keys if shadows_alone or not k.endswith(AVERAGE)}
        self._averages = {} if shadows_alone else {k.removesuffix(AVERAGE): k for k in keys if k.endswith(AVERAGE)}
        self._weights = {n: k for n, k in plain.items() if not _SLOT.fullmatch(n)}
        slots = (("Variable" if i == 0 else f"Variable_{i}") for i in range(len(plain) - len(self._weights)))
        self._slots = [plain.get(name) for name in slots]

    def _match_weights(self):
        optional = {n for n in self._weights if n.endswith(_INVERSE) and n.removesuffix("_inverse") in self.names}
        self._match("weights", {n: k for n, k in self._weights.items() if n not in optional}, self.names)

    def _match_averages(self):
        if self._averages:
            self._match("averages", self._averages, self.trainable)

    def _match(self, what, found, expected):
        left_over, missing = set(found) - set(expected), set(expected) - set(found)
        if left_over or missing:
            parts = [f"{len(left_over)} left over: {listed(left_over)}"] if left_over else []
            parts += [f"{len(missing)} missing: {listed(missing)}"] if missing else []
            raise OpenaiError(f"the {what} are not those of the public model; {'; '.join(parts)}.")
        wrong = [
            f"{n} {list(self.source.shapes[found[n]])}, expected {list(self.names[n].shape)}"
            for n in expected
            if self.source.shapes[found[n]] != tuple(self.names[n].shape)
        ]
        if wrong:
            raise OpenaiError(
                f"{len(wrong)} of the {what} have another shape than in the public model: {listed(wrong)}."
            )

    def _match_slots(self):
        """Keeps the slots if they are a step counter and two moments per weight, as with beta1 > 0."""
        if not self._slots:
            return
        shapes = [self.names[n].shape for n in self.trainable for _ in range(2)]
        if [self.source.shapes.get(key) for key in self._slots] != [(), *map(tuple, shapes)]:
            self.notes.append(
                f"The optimizer's {len(self._slots)} variables are not a step counter and two moments per weight; they "
                "are left out, and training would go on with a fresh optimizer."
            )
            self._slots = []

    # Reading.

    def _assign(self, variable, key):
        variable.assign(self._finite(key).astype(variable.dtype))

    def _finite(self, key):
        value = np.asarray(self.source.read(key))
        if not np.all(np.isfinite(value)):
            raise OpenaiError(f"{key} holds values that are not finite (NaN or infinite).")
        return value

    def _check_shuffle(self, name, key):
        indices = self.names[name.removesuffix("_inverse")].numpy()
        if not np.array_equal(np.argsort(indices), self._finite(key)):
            raise OpenaiError(f"{name} is not the inverse of {name.removesuffix('_inverse')}.")
