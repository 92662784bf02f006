"""Files that are made once and can be made again, such as drawn images, in a folder of the user's."""

import os
import pathlib
from collections.abc import Callable

from glow_tf.errors import DataError, RunError
from glow_tf.io import cannot_write, write_atomically
from glow_tf.locks import locked

SWITCH = "GLOW_TF_CACHE"
"""Environment variable: path of the folder."""


def cache_folder() -> pathlib.Path:
    """Return the folder of cached files, which need not exist."""
    if path := os.environ.get(SWITCH):
        return pathlib.Path(path).expanduser()
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "glow_tf"


def cached(name: str, read: Callable, write: Callable):
    """Return what a cached file holds; the first process that asks for it writes it, and others wait for that.

    Args:
        name: name of the file in the cache folder; other contents need another name.
        read: function of the path of the file; raises a `DataError` if the file is damaged, which is written again.
        write: function of a path that writes the file.

    Raises:
        RunError: the file cannot be written.

    Example:
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
                write_atomically(path, write)
    except RunError as error:
        raise RunError(f"{error} {SWITCH} in the environment names another folder for such files.") from error
    return read(path)


def _read(path, read):
    """Return what a file holds; None if it is not there or damaged."""
    try:
        return read(path) if path.is_file() else None
    except DataError:
        return None
