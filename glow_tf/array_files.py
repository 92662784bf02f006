"""Files of NumPy arrays from anywhere: `.npy` and `.npz`, checked before anything is read into memory.

Nothing pickled is loaded. A header or an archive that promises more than the file can hold is refused.
"""

import collections.abc
import contextlib
import math
import os
import pathlib
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Self

import numpy as np

from glow_tf.errors import DataError

NPY, NPZ = "one array (.npy)", "an archive of arrays (.npz)"

MAX_RATIO = 200
"""Largest ratio of an archived array's size to its size in the file, if it is large: images are compressed by less."""
LARGE = 2**28
"""Bytes from which an archived array is large."""

ERRORS = (
    ValueError,
    OSError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
    OverflowError,
    RuntimeError,  # an encrypted archive
    NotImplementedError,  # an unknown compression
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors that NumPy and `zipfile` raise for damaged files."""


def file_kind(path: str | os.PathLike[str]) -> str:
    """Return `NPY` or `NPZ`, by the first bytes of a file.

    Raises:
        DataError: the file is neither, or is missing.
    """
    path = pathlib.Path(path).expanduser()
    with _errors_named(path):
        if not path.exists():
            raise _damaged(path, "no such file")
        if not path.is_file():
            raise _damaged(path, "it is not a regular file")
        with open(path, "rb") as file:
            start = file.read(6)
    if start == b"\x93NUMPY":
        return NPY
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return NPZ
    raise _damaged(path, "it is neither .npy nor .npz")


def is_array_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a file that begins as `.npy` and `.npz` files do."""
    try:
        return file_kind(path) in (NPY, NPZ)
    except DataError:
        return False


def read_array(path: pathlib.Path | str) -> np.ndarray:
    """Read the array of a `.npy` file.

    Raises:
        DataError: the file is something else or damaged.
    """
    _require_kind(path, NPY)
    path = pathlib.Path(path).expanduser()
    with _errors_named(path), open(path, "rb") as file:
        return _read(file, path.stat().st_size, str(path))


class ArrayArchive(collections.abc.Mapping[str, np.ndarray]):
    """The arrays of a `.npz` file by name, each read when it is asked for; a context manager.

    Args:
        path: path of the file.

    Raises:
        DataError: it is something else or damaged; also when an array is read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/images.npz", x=np.zeros([2, 8, 8, 1], np.uint8))
        ...     with ArrayArchive(f"{folder}/images.npz") as archive:
        ...         print(list(archive), archive["x"].shape)
        ['x'] (2, 8, 8, 1)
    """

    def __init__(self, path: pathlib.Path | str) -> None:
        _require_kind(path, NPZ)
        self.path = pathlib.Path(path).expanduser()
        with _errors_named(self.path):
            self._zip = zipfile.ZipFile(self.path)
        members = self._zip.infolist()
        self._members = {m.filename.removesuffix(".npy"): m for m in members if m.filename.endswith(".npy")}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members  # that of `Mapping` would read the array

    def __getitem__(self, name: str) -> np.ndarray:
        member, label = self._members[name], f"{self.path}, array {name!r},"
        if member.file_size > max(LARGE, MAX_RATIO * member.compress_size):
            sizes = f"{_size(member.compress_size)} unpack to {_size(member.file_size)}"
            raise _damaged(label, f"its {sizes}, which no data do; save it uncompressed if it is meant")
        with _errors_named(label), self._zip.open(member) as file:
            return _read(file, member.file_size, label)


def _require_kind(path: pathlib.Path | str, expected: str) -> None:
    kind = file_kind(path)
    if kind != expected:
        raise DataError(f"{path} is {kind}, expected {expected}.")


def _read(file: IO[bytes], size: int, name: str) -> np.ndarray:
    """Read an array after its header was compared with the size of the file in bytes."""
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise _damaged(name, f"version {version} of NumPy's format, expected a plain array (1.0 or 2.0)")
    shape, _, dtype = read_header[version](file)
    if dtype.hasobject:
        raise _damaged(name, "it holds pickled objects, which are refused")
    count, header = math.prod(shape), file.tell()
    if min(shape, default=0) < 0 or header + count * dtype.itemsize > size:
        promised = _size(header + count * dtype.itemsize)
        raise _damaged(name, f"its header promises {promised} and there are {_size(size)}; it is cut off or damaged")
    memory = _memory()
    if memory is not None and count * dtype.itemsize > memory:
        raise _damaged(name, f"it has {_size(count * dtype.itemsize)}, this machine's memory {_size(memory)}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _memory() -> int | None:
    """Return the bytes of this machine's memory, or None on Windows, where Python does not tell."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(count: int) -> str:
    """Return a number of bytes in words."""
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = min(int(math.log(max(count, 1), 1000)), len(units) - 1)
    return f"{count / 1000**power:.4g} {units[power]}"


@contextlib.contextmanager
def _errors_named(name: object) -> Iterator[None]:
    """Turn NumPy's and `zipfile`'s errors of damaged files into a `DataError` that names the file."""
    try:
        yield
    except DataError:
        raise
    except ERRORS as error:
        raise _damaged(name, error) from error


def _damaged(name: object, error: object) -> DataError:
    """Return the `DataError` of a reason, a str or an exception."""
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return DataError(f"{name} cannot be read as arrays: {reason[0].rstrip('.')}.")
