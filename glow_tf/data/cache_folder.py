"""The folder of a disk cache of decoded images: its lock, its index, and how it is saved and rebuilt.

`about.json` says what it holds. `index.npz` says which records are in the file of pixels that it names; it is written
after those pixels are on the disk, so that neither a kill nor a power failure leaves a record that was not written.
"""

import contextlib
import json
import pathlib
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from glow_tf.array_files import ArrayArchive
from glow_tf.cache import cache_folder
from glow_tf.data.decoded_images import MappedImageTable
from glow_tf.errors import RunError
from glow_tf.folders import check_room, remove, remove_leftovers
from glow_tf.io import cannot_write, write_atomically, write_text
from glow_tf.locks import locked

SAVE_INTERVAL_SECONDS = 60
MAX_CHECKED_RECORDS = 1024
"""Records whose checksums are compared when a cache is opened."""

_open_folders: "dict[pathlib.Path, CacheFolder]" = {}
"""The open `CacheFolder`s of this process by path: several sources of the same images share one."""


class DamagedCacheError(Exception):
    """Report a cache that cannot be used; the message says why."""


def default_folder() -> pathlib.Path:
    """Return the folder of all caches: `images` in `glow_tf.cache.cache_folder()`."""
    return cache_folder() / "images"


def open_folder(
    path: pathlib.Path,
    about: Mapping[str, Any],
    count: int,
    channels: int,
    attribute_count: int,
    make_slot_shape: Callable[[], tuple[tuple[int, ...], int]],
) -> "CacheFolder":
    """Return the `CacheFolder` of a path, which is made of the arguments if it is not open; each caller closes it once.

    Arguments and errors are those of `CacheFolder`.
    """
    folder = _open_folders.get(path)
    if folder is None:
        folder = CacheFolder(path, about, count, channels, attribute_count, make_slot_shape)
        _open_folders[path] = folder
    folder.users += 1
    return folder


class CacheFolder:
    """A table of decoded images in a folder. One process fills it; others read what was saved when they opened it.

    Args:
        path: path of the folder.
        about: plain values that describe the images.
        count, channels, attribute_count: see `ImageTable`.
        make_slot_shape: function that returns the shape of a slot for a new table, and the mean bytes of an image.

    Raises:
        RunError: there is no room, or the folder cannot be written and holds no cache.
    """

    def __init__(
        self,
        path: pathlib.Path,
        about: Mapping[str, Any],
        count: int,
        channels: int,
        attribute_count: int,
        make_slot_shape: Callable[[], tuple[tuple[int, ...], int]],
    ) -> None:
        self.path, self._index_path = path, path / "index.npz"
        self._arguments = channels, attribute_count
        self._count, self.users = count, 0
        self._saved_at, self._saving = time.monotonic(), threading.Lock()
        with contextlib.ExitStack() as stack:  # ends the lock if there will be no table
            refusal = self._lock(stack)
            table = self._open(writable=refusal is None)
            if table is None and refusal is None:
                table = self._make(about, *make_slot_shape())
            if table is None:
                raise RunError(f"{path} holds no images yet, and cannot be filled: {refusal}")
            self.table, self._stack = table, stack.pop_all()

    def filled(self) -> None:
        """Save the table after a record was filled, if that is due."""
        is_due = time.monotonic() - self._saved_at > SAVE_INTERVAL_SECONDS
        if (is_due or self.table.is_complete) and self._saving.acquire(blocking=False):
            # In a thread, as the disk may take seconds to write what is buffered.
            threading.Thread(target=self._save_and_release, daemon=True).start()

    def close(self) -> None:
        """Save the table and end the lock, if nobody else in this process uses it."""
        self.users -= 1
        if self.users:
            return
        _open_folders.pop(self.path, None)
        with self._saving:
            if self.table.writable:
                self._save()
            self.table.writable = False
        self._stack.close()

    def _lock(self, stack: contextlib.ExitStack) -> RunError | None:
        """Lock the folder until the stack is closed; return why this process may not fill the table, or None."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(self.path / "lock", f"the cache {self.path}"))
        except OSError as error:
            return cannot_write(self.path, error)
        except RunError as error:
            return error
        remove_leftovers(self.path, of=self._index_path.name)
        return None

    def _open(self, writable: bool) -> MappedImageTable | None:
        """Return the table that the index describes, or None, with a warning if it is damaged."""
        if not self._index_path.is_file():
            return None
        try:
            return self._read(writable)
        except DamagedCacheError as error:
            warnings.warn(
                f"the cache of decoded images {self.path} is damaged ({error}) and is made again.", stacklevel=3
            )
            return None

    def _read(self, writable: bool) -> MappedImageTable:
        """Return the table that the index describes.

        Raises:
            DamagedCacheError: the index or the pixels cannot be used.
        """
        try:
            with ArrayArchive(self._index_path) as index:
                columns = dict(index)
            name, slot_shape = str(columns.pop("pixels")), columns.pop("slot_shape").tolist()
            pixels_path = self.path / name
            if pixels_path.stat().st_size != self._count * int(np.prod(slot_shape)):
                raise DamagedCacheError("its file of pixels is cut off")
            table = MappedImageTable(pixels_path, writable, self._count, slot_shape, *self._arguments)
            for column, array in table.columns.items():
                if array.shape != columns[column].shape:
                    raise DamagedCacheError("its index is of other images")
                array[:] = columns[column]
        except (OSError, KeyError, ValueError, TypeError) as error:  # a `DataError` of the archive is a `ValueError`
            reason = str(error).rstrip(".")
            raise DamagedCacheError(f"its index or its pixels cannot be read: {reason}") from error
        rows = np.flatnonzero(table.columns["filled"])
        checked = rows[:: max(1, len(rows) // MAX_CHECKED_RECORDS)]
        if not all(table.is_intact(row) for row in checked.tolist()):
            raise DamagedCacheError("pixels differ from their checksums")
        return table

    def _make(self, about: Mapping[str, Any], slot_shape: tuple[int, ...], image_bytes: int) -> MappedImageTable:
        """Make an empty table in the place of whatever is in the folder."""
        for path in self.path.iterdir():
            if path.name != "lock":
                remove(path)
        check_room(self.path, self._count * image_bytes)
        write_text(self.path / "about.json", json.dumps(about, indent=2) + "\n")
        # Under a new name: another process may still read the file before.
        pixels_path = self.path / f"pixels-{uuid.uuid4().hex[:8]}.bin"
        pixels_path.touch()
        return MappedImageTable(pixels_path, True, self._count, slot_shape, *self._arguments)

    def _save_and_release(self) -> None:
        try:
            self._save()
        finally:
            self._saving.release()

    def _save(self) -> None:
        table = self.table
        filled = table.columns["filled"].copy()  # before the pixels are synced; the other columns may be newer
        try:
            table.sync()
            columns: dict[str, Any] = {**table.columns, "filled": filled}
            columns |= {"pixels": table.path.name, "slot_shape": table.slot_shape}
            write_atomically(self._index_path, lambda path: np.savez(path, **columns))
        except (OSError, RunError) as error:
            table.writable = False
            warnings.warn(f"the cache of decoded images {self.path} cannot be saved: {error}", stacklevel=2)
        self._saved_at = time.monotonic()
