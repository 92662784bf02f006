"""Atomic writes of files."""

import os
import pathlib

import numpy as np

from glow_tf.errors import RunError


def write_atomically(path, write):
    """Write a file under a temporary name, then move it into place: a reader never meets half a file.

    Args:
        path: the file to write; missing parent folders are made.
        write: function of the temporary path, which lies in the same folder and has the same ending.

    Raises:
        RunError: the file cannot be written.
    """
    path = pathlib.Path(path)
    # Keras insists on the ending, so the mark goes in front.
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error}. Free some space or choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text file atomically (see `write_atomically`)."""
    write_atomically(path, lambda temporary: temporary.write_text(text))


def write_bytes(path, data):
    """Write a binary file atomically (see `write_atomically`)."""
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def save_array(path, array):
    """Write a NumPy array as a `.npy` file, atomically; nothing is pickled."""

    def write(temporary):
        with open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)

    write_atomically(path, write)


def check_not_current(path):
    """Raise a `RunError` if a folder to write is the current one or lies above it: it could not be moved into place.

    Args:
        path: `pathlib.Path` of the folder.
    """
    current = pathlib.Path.cwd()
    if path.resolve() in (current, *current.parents):
        raise RunError(
            f"{path} is the current folder, or lies above it; give the name of a new folder, such as exported."
        )
