"""Atomic writes of files, and the sentence that says why a file cannot be written."""

import contextlib
import os
import pathlib
import re
from collections.abc import Callable

import numpy as np

from glow_tf.errors import RunError

MAX_REASON_LENGTH = 300
"""Characters of an error of a library that a message quotes."""


def write_atomically(path: str | os.PathLike[str], write: Callable[[pathlib.Path], object]) -> None:
    """Write a file under a temporary name, then move it into place: a reader never meets half a file.

    Args:
        path: the file to write; missing parent folders are made.
        write: function that writes to the temporary path, which lies in the same folder and has the same ending.

    Raises:
        RunError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "new", "file.txt")
        ...     write_atomically(path, lambda temporary: temporary.write_text("whole"))
        ...     path.read_text()
        'whole'
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


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically (see `write_atomically`)."""
    write_bytes(path, text.encode())


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a binary file atomically (see `write_atomically`)."""
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def save_array(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write a NumPy array as a `.npy` file, atomically; nothing is pickled."""

    def write(temporary: pathlib.Path) -> None:
        with open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)

    write_atomically(path, write)


def check_not_current(path: pathlib.Path) -> None:
    """Check that a folder to write is not the current one, nor above it: it could not be moved into place.

    Args:
        path: the folder.

    Raises:
        RunError: the folder is the current one or lies above it.
    """
    current = pathlib.Path.cwd()
    if path.resolve() in (current, *current.parents):
        raise RunError(
            f"{path} is the current folder, or lies above it; give the name of a new folder, such as exported."
        )


def temporary_path(path: pathlib.Path) -> pathlib.Path:
    """Return the path `.PID.NAME` beside `path`, under which this process writes before it moves the file into place.

    Keras insists on the endings of names, so the mark is in front.
    """
    return path.with_name(f".{os.getpid()}.{path.name}")


def named_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """Return the path with the home folder for `~`, in a form whose last part is a name, which `.` and `..` are not."""
    path = pathlib.Path(os.path.expanduser(path))
    return path if path.name not in ("", "..") else path.resolve()


def cannot_write(path: str | os.PathLike[str], error: BaseException) -> RunError:
    """Return the `RunError` that says that `path` cannot be written, and why."""
    return RunError(f"cannot write {path}: {describe_error(error)}. Free some space or choose another folder.")


def describe_error(error: BaseException) -> str:
    """Return the reason of an error of Python or TensorFlow: its first line, without TensorFlow's function names."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a part of the path is a file, not a folder"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = re.sub(r"\{\{function_node .*?\}\} ?", "", str(error)).strip().splitlines()
    return lines[0][:MAX_REASON_LENGTH].rstrip(". ") if lines else type(error).__name__


def stamp(path: str | os.PathLike[str]) -> str:
    """Return a text that differs for other contents of a file: its size and the times of its last changes."""
    try:
        status = os.stat(path)
    except OSError:  # who reads it has the sentence for that
        return " missing;"
    return f" {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns};"
