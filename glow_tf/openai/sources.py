"""The two kinds of file that hold the original's weights, under one interface: names and shapes, values one by one.

Neither kind is run: a checkpoint is a table of tensors, and of a frozen graph (`FrozenGraph`) the constants are read.
"""

import pathlib
import re

import tensorflow as tf

from glow_tf.openai.errors import OpenaiError
from glow_tf.openai.frozen_graph import FrozenGraph

AVERAGE = "/ExponentialMovingAverage"
"""Ending of the names of the moving averages."""


class Checkpoint:
    """A TF1 checkpoint, as the original's `m.save` and `m.save_ema` write it.

    Args:
        path: the prefix (`model_best_loss.ckpt`), one of its files, or a folder that holds one checkpoint.

    `shapes` is `{name: shape}`.
    """

    def __init__(self, path):
        self.prefix = _prefix(pathlib.Path(path))
        self._reader = self._guarded(tf.train.load_checkpoint, str(self.prefix))
        self.shapes = {n: tuple(s) for n, s in self._guarded(self._reader.get_variable_to_shape_map).items()}

    def read(self, name):
        """The value of that name, as NumPy."""
        return self._guarded(self._reader.get_tensor, name)

    def __contains__(self, name):
        return name in self.shapes

    def _guarded(self, function, *args):
        try:
            return function(*args)
        except (tf.errors.OpError, ValueError, RuntimeError, OSError, IndexError) as error:
            first_line = str(error).strip().split("\n")[0]
            raise OpenaiError(
                f"checkpoint {self.prefix} cannot be read, it is damaged or incomplete: {first_line}"
            ) from error


def open_source(path):
    """The file as a `FrozenGraph` where it ends in `.pb`, else as a `Checkpoint`."""
    source = (FrozenGraph if pathlib.Path(path).suffix == ".pb" else Checkpoint)(path)
    if not source.shapes:
        raise OpenaiError(f"{path} holds no weights.")
    return source


def _prefix(path):
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) != 1:
            names = ", ".join(p.stem for p in found) or "none"
            raise OpenaiError(f"{path} holds {len(found)} checkpoints, expected one: {names}; name the one to import.")
        return found[0].with_suffix("")
    prefix = pathlib.Path(re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", str(path)))
    if not prefix.with_name(prefix.name + ".index").is_file():
        raise OpenaiError(f"there is no checkpoint {prefix}: expected {prefix.name}.index and {prefix.name}.data-*.")
    return prefix
