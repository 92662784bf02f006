"""Prepare folders for writing: check that there is room, and replace one by another at once."""

import contextlib
import ctypes
import itertools
import os
import pathlib
import shutil
import sys

from glow_tf.errors import RunError
from glow_tf.io import cannot_write, named_path, temporary_path
from glow_tf.leftovers import leftovers, remove, remove_leftovers

PROBE = "probe"
"""Name of the file that `check_writable` writes and removes."""

PATTERN_CHARACTERS = "[*?\\"
"""Characters of a path that TensorFlow takes for a pattern when it reads and removes checkpoints and SavedModels."""

RENAME_EXCHANGE, AT_FDCWD = 2, -100
"""Constants of Linux's `renameat2`."""


def check_pattern_free(path: str | os.PathLike[str]) -> None:
    """Check that TensorFlow does not take a path for a pattern.

    It would find no file, or those of another folder, which it would read or remove.

    Raises:
        RunError: the path has characters of a pattern.
    """
    path = path if isinstance(path, pathlib.PurePath) else pathlib.Path(path)
    characters = sorted(set(path.as_posix()) & set(PATTERN_CHARACTERS))  # Windows' own \ is no part of a name
    if characters:
        raise RunError(
            f"{path} has {' and '.join(characters)} in it, which TensorFlow takes for a pattern of names, so it "
            "could not read what it writes there; give a path without."
        )


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Make a folder if it is missing and write a byte into it: better now than after hours of work.

    Raises:
        RunError: that is not possible.
    """
    probe = temporary_path(pathlib.Path(folder) / PROBE)
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\n")
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def check_room(folder: str | os.PathLike[str], size: int) -> None:
    """Raise a `RunError` unless the disk of an existing folder has `size` bytes free."""
    usage = shutil.disk_usage(folder)
    if usage.total and usage.free < size:  # some network file systems report 0 of 0
        raise RunError(
            f"{folder} needs {size / 1e6:,.1f} MB, and its disk has {usage.free / 1e6:,.1f} MB free. "
            "Free some space or choose another folder."
        )


def move_aside(path: pathlib.Path) -> pathlib.Path:
    """Rename something damaged to `NAME.damaged`, or the first free of `NAME.damaged.2`, ...; return the new path.

    Raises:
        RunError: that is not possible.
    """
    names = itertools.chain(["damaged"], (f"damaged.{i}" for i in itertools.count(2)))
    aside = next(p for p in (path.with_name(f"{path.name}.{name}") for name in names) if not os.path.lexists(p))
    try:
        os.replace(path, aside)
    except OSError as error:
        raise cannot_write(aside, error) from error
    return aside


def prepare_folder(path: str | os.PathLike[str]) -> pathlib.Path:
    """Check that a folder can be written anew, undo what killed processes left there, and return its path.

    Raises:
        RunError: the path cannot be written, or TensorFlow takes it for a pattern.
    """
    check_pattern_free(path)
    path = named_path(path)
    if os.path.islink(path):  # what it points to is replaced, not the link
        path = path.resolve()
    check_writable(path.parent)
    recover_folder(path)
    remove_leftovers(path.parent, of=path.name)
    return path


def replace_folder(new: pathlib.Path, path: pathlib.Path) -> None:
    """Move the folder `new` to `path`, in the place of the folder that may be there.

    Linux exchanges the two names at once, so that `path` is never missing. Elsewhere the old folder is first moved
    aside, and back after an error; a kill in between leaves it where `recover_folder` finds it.
    """
    if not os.path.lexists(path):
        os.replace(new, path)
    elif _exchange(new, path):
        remove(new)
    else:
        aside = temporary_path(path.with_name(f"{path.name}.old"))
        os.replace(path, aside)
        try:
            os.replace(new, path)
        except OSError:
            os.replace(aside, path)
            raise
        remove(aside)


def recover_folder(path: pathlib.Path) -> None:
    """Move the folder back that was at `path` when a kill interrupted `replace_folder`."""
    if not os.path.lexists(path):
        for aside, name in leftovers(path.parent):
            if name == f"{path.name}.old":
                try:
                    os.replace(aside, path)
                except OSError as error:
                    raise cannot_write(path, error) from error
                return


def _exchange(first: pathlib.Path, second: pathlib.Path) -> bool:
    """Exchange two names at once; return whether that was possible."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:  # glibc before 2.28, musl
        return False
    return rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0
