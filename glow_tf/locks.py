"""Lock a file for one process: two processes must not write one run folder."""

import contextlib
import logging
import os
import pathlib
import socket
import time
import warnings
from collections.abc import Iterator

from glow_tf.errors import RunError
from glow_tf.io import cannot_write

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger(__name__)

SWITCH = "GLOW_TF_LOCK"
"""Environment variable: `off` leaves the lock out."""

MAX_HOLDER_LENGTH = 200
"""Bytes of a lock file that a message quotes."""


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], description: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file within the context.

    The lock is the system's (`flock`) and ends with the process, however that ends; the text in the file only names
    the process. So the file of a killed process does not lock. Where the file system has no locks (some network
    drives), there is a warning and no lock.

    Args:
        path: path of the lock file in an existing folder.
        description: name of what is locked, for the message.
        wait: wait for a process that holds the lock.

    Raises:
        RunError: another process holds it, unless `wait`; or the file cannot be written.
    """
    if os.environ.get(SWITCH) == "off":
        yield
        return
    path = pathlib.Path(path)
    try:
        file = _acquire(path, description, wait)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # before the lock ends: nobody else's file is removed
        os.close(file)


def _acquire(path: pathlib.Path, description: str, wait: bool) -> int:
    """Return the descriptor of the lock file at `path`, locked and with the name of this process in it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file, path, description, wait)
            if _is_at(file, path):
                os.ftruncate(file, 0)
                os.write(file, _this_process().encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # the process that held it has removed it: the next file of this name counts


def _lock(file: int, path: pathlib.Path, description: str, wait: bool) -> None:
    try:
        if fcntl is None:
            raise OSError("this system has no flock")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(file, MAX_HOLDER_LENGTH).decode(errors="replace").strip() or "another process"
        if wait:
            logger.warning("waiting for %s, which writes %s", holder, description)
            assert fcntl is not None  # which has raised the error
            fcntl.flock(file, fcntl.LOCK_EX)
            return
        raise RunError(
            f"{description} is in use by {holder}; wait until it ends, or take another folder. (If no such process "
            f"runs and a network drive has kept its lock, {SWITCH}=off leaves the lock out.)"
        ) from None
    except OSError as error:
        warnings.warn(
            f"{path} cannot be locked ({error.strerror or error}); make sure that no other process writes "
            f"{description}. {SWITCH}=off silences this.",
            stacklevel=2,
        )


def _is_at(file: int, path: pathlib.Path) -> bool:
    """Return whether an open file is the one that has the name `path`."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _this_process() -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()} since {since}\n"
