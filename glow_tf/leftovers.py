"""Remove the unfinished files and folders of processes that were killed.

A process is known by its number on this machine. Of a file that a process of another machine is writing nothing is
known, so only those are removed whose names one writer alone writes: that of a locked run folder, or of an output.
"""

import contextlib
import fnmatch
import os
import pathlib
import re
import shutil
from collections.abc import Iterable

TEMPORARY_NAME = re.compile(r"\.(\d+)\.(.+)", re.DOTALL)
"""Names of unfinished writes, `.PID.NAME` (see `io.temporary_path`)."""


def is_unfinished(path: pathlib.Path, names: Iterable[str]) -> bool:
    """Return whether a path is a regular file with the name of an unfinished write of one of the files `names`.

    Args:
        path: path of anything.
        names: names of files, in which `*` stands for any characters.
    """
    match = TEMPORARY_NAME.fullmatch(path.name)
    is_ours = match is not None and any(fnmatch.fnmatchcase(match[2], name) for name in names)
    return is_ours and path.is_file() and not path.is_symlink()


def leftovers(folder: str | os.PathLike[str]) -> list[tuple[pathlib.Path, str]]:
    """List the unfinished writes of processes of this machine that ended.

    Args:
        folder: path of the folder, which need not exist.

    Returns:
        List of `(path, name)`, the name that the file or folder was to get.
    """
    try:
        matches = [(path, TEMPORARY_NAME.fullmatch(path.name)) for path in pathlib.Path(folder).iterdir()]
    except OSError:
        return []
    return [(path, match[2]) for path, match in matches if match and not _is_another_process(int(match[1]))]


def remove_leftovers(folder: str | os.PathLike[str], of: str) -> None:
    """Remove what processes of this machine that ended left of the write of one file or folder.

    Args:
        folder: path of the folder that holds it, which need not exist.
        of: name of the file or folder.
    """
    for path, name in leftovers(folder):
        if name in (of, f"{of}.new", f"{of}.old"):
            remove(path)


def remove_unfinished(folder: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Remove the unfinished files (see `is_unfinished`) of processes of this machine that ended.

    Args:
        folder: path of the folder, which need not exist.
        names: names of the files that may be removed unfinished.
    """
    for path, _ in leftovers(folder):
        if is_unfinished(path, names):
            remove(path)


def remove(path: pathlib.Path) -> None:
    """Remove a file or a folder, as far as the system allows it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _is_another_process(pid: int) -> bool:
    """Return whether a process of this machine other than this one has a number."""
    if pid == os.getpid():
        return False
    if os.name == "nt":
        return True  # unknown: there `os.kill` would send Ctrl-C, and so what a kill left stays
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
