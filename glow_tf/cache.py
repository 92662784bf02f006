"""Files that are made once and can be made again, such as drawn images, in a folder of the user's."""

import os
import pathlib
from collections.abc import Callable
from typing import TypeVar

from glow_tf.errors import DataError, RunError
from glow_tf.io import cannot_write, write_atomically
from glow_tf.leftovers import remove_leftovers
from glow_tf.locks import locked

Contents = TypeVar("Contents")

SWITCH = "GLOW_TF_CACHE"
"""Environment variable: path of the folder."""


def cache_folder() -> pathlib.Path:
    """Return the folder of cached files, which need not exist."""
    if path := os.environ.get(SWITCH):
        return pathlib.Path(path).expanduser()
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "glow_tf"


def cached(name: str, read: Callable[[pathlib.Path], Contents], write: Callable[[pathlib.Path], object]) -> Contents:
    """Return the contents of a cached file, which the first process that asks for it writes while others wait.

    Args:
        name: name of the file in the cache folder; other contents need another name.
        read: function that reads the file at a path; it raises a `DataError` for a damaged file, which is then written
            again.
        write: function that writes the file at a path.

    Raises:
        RunError: the file cannot be written.

    Example:
        >>> import numpy as np
        >>> cached("squares.npy", np.load, lambda path: np.save(path, np.arange(3) ** 2))
        array([0, 1, 4])
    """
    path = cache_folder() / name
    contents = _read(path, read)
    if contents is not None:
        return contents
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path.parent, error) from error
        with locked(path.with_name(f".{name}.lock"), str(path), wait=True):
            if _read(path, read) is None:  # no other process has written it meanwhile
                remove_leftovers(path.parent, of=path.name)
                write_atomically(path, write)
    except RunError as error:
        raise RunError(f"{error} {SWITCH} in the environment names another folder for such files.") from error
    return read(path)


def _read(path: pathlib.Path, read: Callable[[pathlib.Path], Contents]) -> Contents | None:
    """Return the contents of a file; None if it is not there, damaged, or in a folder that may not be read."""
    try:
        return read(path) if path.is_file() else None
    except (DataError, PermissionError):  # the second is named where the file is written
        return None
