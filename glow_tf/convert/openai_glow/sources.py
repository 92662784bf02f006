"""Files that hold weights of the original code, as tables of arrays: TF1 checkpoints and frozen graphs.

Both kinds have `shapes`, a dictionary of key -> shape, `read(key)` and `key in source`. Neither kind is run.
"""

import pathlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from glow_tf.convert.openai_glow.frozen_graph import FrozenGraph
from glow_tf.errors import ConversionError
from glow_tf.folders import check_pattern_free

Result = TypeVar("Result")


class TF1Checkpoint:
    """A TF1 checkpoint, as `m.save` and `m.save_ema` of the original code write it.

    Args:
        path: prefix of the checkpoint (`model_best_loss.ckpt`), one of its files, the file `checkpoint`
            that names it, or a folder with one checkpoint.

    Attributes:
        prefix: path of the checkpoint without the endings of its files.
        shapes: key -> shape.

    Raises:
        ConversionError: there is no such checkpoint, or it is damaged.
        RunError: TensorFlow takes the path for a pattern.
    """

    def __init__(self, path: pathlib.Path | str) -> None:
        check_pattern_free(path)
        self.prefix = _checkpoint_prefix(pathlib.Path(path))
        self._reader = self._call(tf.train.load_checkpoint, str(self.prefix))
        shapes = self._call(self._reader.get_variable_to_shape_map)
        self.shapes: dict[str, tuple[int, ...]] = {key: tuple(shape) for key, shape in shapes.items()}

    def read(self, key: str) -> np.ndarray:
        """Return the array of a key, as NumPy."""
        return self._call(self._reader.get_tensor, key)

    def __contains__(self, key: object) -> bool:
        return key in self.shapes

    def _call(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call a function of TensorFlow's reader; its errors become a `ConversionError`."""
        try:
            return function(*args)
        except (tf.errors.OpError, ValueError, RuntimeError, OSError, IndexError) as error:
            first_line = str(error).strip().split("\n")[0]
            raise ConversionError(
                f"checkpoint {self.prefix} cannot be read, it is damaged or incomplete: {first_line}"
            ) from error


def open_source(path: pathlib.Path | str) -> FrozenGraph | TF1Checkpoint:
    """Open a file as a `FrozenGraph` if it ends in `.pb`, else as a `TF1Checkpoint`.

    Args:
        path: path of the file.

    Raises:
        ConversionError: the file cannot be read, or holds no weights.
    """
    source = (FrozenGraph if pathlib.Path(path).suffix == ".pb" else TF1Checkpoint)(path)
    if not source.shapes:
        raise ConversionError(f"{path} holds no weights.")
    return source


def _checkpoint_prefix(path: pathlib.Path) -> pathlib.Path:
    if path.name == "checkpoint" and path.is_file():
        path = _newest_checkpoint(path)
    if path.is_dir():
        index_files = sorted(path.glob("*.index"))
        if len(index_files) != 1:
            names = ", ".join(file.stem for file in index_files) or "none"
            raise ConversionError(
                f"{path} holds {len(index_files)} checkpoints, expected one: {names}; name the one to import."
            )
        return index_files[0].with_suffix("")
    prefix = pathlib.Path(re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", str(path)))
    if not prefix.with_name(prefix.name + ".index").is_file():
        raise ConversionError(
            f"there is no checkpoint {prefix}: expected {prefix.name}.index and {prefix.name}.data-*."
        )
    return prefix


def _newest_checkpoint(path: pathlib.Path) -> pathlib.Path:
    """Return the path of the newest checkpoint that `checkpoint` names, TensorFlow's list of those in its folder."""
    match = re.search(r'^model_checkpoint_path: "(.*)"', path.read_text(errors="replace"), re.MULTILINE)
    if not match:
        raise ConversionError(f"{path} names no checkpoint; give the name of one, such as model_best_loss.ckpt.")
    # It may name the folder of another machine, from which the files were copied.
    return path.with_name(pathlib.PurePath(match[1]).name)
