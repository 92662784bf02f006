"""Atomic writes of files, and the sentence that says why a file cannot be written."""

import contextlib
import os
import pathlib
import re

import numpy as np

from glow_tf.errors import RunError

MAX_REASON_LENGTH = 300
"""Characters of an error of a library that a message quotes."""


def write_atomically(path, write):
    """Write a file under a temporary name, then move it into place: a reader never meets half a file.

    Args:
        path: the file to write; missing parent folders are made.
        write: function of the temporary path, which lies in the same folder and has the same ending.

    Raises:
        RunError: the file cannot be written.
    """
    path = named_path(path)
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # it would take the place of the error above
            temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text file atomically (see `write_atomically`)."""
    write_bytes(path, text.encode())


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


def temporary_path(path):
    """Return the path `.PID.NAME` beside `path`, under which this process writes before it moves the file into place.

    Keras insists on the endings of names, so the mark is in front.
    """
    return path.with_name(f".{os.getpid()}.{path.name}")


def named_path(path):
    """Return a path whose last part is a name, which `.` and `..` are not."""
    path = pathlib.Path(path)
    return path if path.name not in ("", "..") else path.resolve()


def cannot_write(path, error):
    """Return the `RunError` that says that `path` cannot be written, and why."""
    return RunError(f"cannot write {path}: {describe_error(error)}. Free some space or choose another folder.")


def describe_error(error):
    """Return the reason of an error of Python's or TensorFlow's in a few words.

    Those are the first line, without the names of TensorFlow's functions.
    """
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a part of the path is a file, not a folder"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = re.sub(r"\{\{function_node .*?\}\} ?", "", str(error)).strip().splitlines()
    return lines[0][:MAX_REASON_LENGTH].rstrip(". ") if lines else type(error).__name__
