"""Tables of decoded images: one slot of memory, or of a memory-mapped file, for each record of a source.

A table is filled record by record, in any order. Reading goes through `tf.Variable`s that share its memory.
"""

import itertools
import math
import mmap
import os
import pathlib
import weakref
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from glow_tf.data import aliased

SMALL_SLOT_BYTES = 2**15
"""Bytes of a slot below which the pages around it are not read ahead, where the file does not fit in memory."""


class ImageTable:
    """Decoded images with their labels and attributes, in memory.

    Args:
        count: n, the number of records.
        slot_shape: shape of a slot: `(H, W, C)` for images of that shape, `(bytes,)` for images of any `[h, w, C]`.
        channels: C.
        attribute_count: a, the number of attributes of an image.
    """

    writable = True
    """False if no record can be filled."""

    def __init__(self, count: int, slot_shape: Sequence[int], channels: int, attribute_count: int) -> None:
        self.count, self.slot_shape, self.channels = count, tuple(slot_shape), channels
        self.slot_bytes = math.prod(slot_shape)
        self.pixels = self._allocate()
        self.columns = {
            "filled": aliased.zeros([count], np.uint8),
            "label": aliased.zeros([count], np.int32),
            "attributes": aliased.zeros([count, attribute_count], np.int32),
            "size": aliased.zeros([count, 2], np.int32),
            "checksum": np.zeros([count], np.uint32),
        }
        self._variables: dict[str, tf.Variable] | None = None
        self._fills = itertools.count(1)
        self.is_complete = False
        """True if all records are filled; it may come early where two threads fill one."""

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """Return the variables that share the memory: pixels, filled, label, attributes, size."""
        if self._variables is None:
            arrays = {"pixels": self.pixels, **{k: v for k, v in self.columns.items() if k != "checksum"}}
            self._variables = {name: aliased.variable(array) for name, array in arrays.items() if array.size}
        return self._variables

    def fill(self, row: int, image: np.ndarray, label: int | np.integer, attributes: np.ndarray) -> None:
        """Store the image of a record; one that is too large for a slot is left out.

        Args:
            row: number of the record.
            image: contiguous uint8 `[h, w, C]`.
            label: its label.
            attributes: int32 `[a]`.
        """
        if image.nbytes > self.slot_bytes or self.columns["filled"][row]:
            return
        self._write(row, image)
        columns = self.columns
        columns["label"][row], columns["attributes"][row], columns["size"][row] = label, attributes, image.shape[:2]
        columns["checksum"][row] = zlib.crc32(image.data)
        columns["filled"][row] = 1  # last: from here on it is read
        self.is_complete = next(self._fills) >= self.count

    def is_intact(self, row: int) -> bool:
        """Return whether the stored pixels of a record have the checksum that they had when it was filled."""
        height, width = self.columns["size"][row].tolist()
        pixels = self.pixels[row].reshape(-1)[: height * width * self.channels]
        return zlib.crc32(np.ascontiguousarray(pixels).data) == self.columns["checksum"][row]

    def _allocate(self) -> np.ndarray:
        """Return the uint8 array `[n, *slot_shape]` of all slots."""
        return aliased.zeros([self.count, *self.slot_shape], np.uint8)

    def _write(self, row: int, image: np.ndarray) -> None:
        self.pixels[row].reshape(-1)[: image.size] = image.reshape(-1)


class MappedImageTable(ImageTable):
    """An `ImageTable` whose pixels are in a file.

    Pixels are read through a memory map and written by `pwrite`: on a full disk that raises an `OSError`, where writing
    into the map would end the process.

    Args:
        path: path of the file, which exists; it is made as long as needed, without reserving room for the pixels.
        writable: fill records; if not, they are only read.
        count, slot_shape, channels, attribute_count: see `ImageTable`.
    """

    def __init__(
        self,
        path: pathlib.Path,
        writable: bool,
        count: int,
        slot_shape: Sequence[int],
        channels: int,
        attribute_count: int,
    ) -> None:
        self.path, self.writable = path, writable
        super().__init__(count, slot_shape, channels, attribute_count)

    def fill(self, row: int, image: np.ndarray, label: int | np.integer, attributes: np.ndarray) -> None:
        """Store the image of a record, if the table is writable."""
        if self.writable:
            super().fill(row, image, label, attributes)

    def sync(self) -> None:
        """Wait until all pixels that were written are on the disk."""
        os.fsync(self._file)

    def _allocate(self) -> np.ndarray:
        size = self.count * self.slot_bytes
        self._file = os.open(self.path, os.O_RDWR if self.writable else os.O_RDONLY)
        # Closed with the table: a number that was closed earlier could be that of another file when a thread writes.
        weakref.finalize(self, os.close, self._file).atexit = False
        if self.writable:
            os.ftruncate(self._file, size)
        # Neither map is written; dlpack refuses read-only arrays.
        access = mmap.ACCESS_WRITE if self.writable else mmap.ACCESS_COPY
        pages = mmap.mmap(self._file, size, access=access)
        if self.slot_bytes < SMALL_SLOT_BYTES and size > _memory_bytes() / 2 and hasattr(mmap, "MADV_RANDOM"):
            pages.madvise(mmap.MADV_RANDOM)
        return np.frombuffer(pages, np.uint8).reshape([self.count, *self.slot_shape])

    def _write(self, row: int, image: np.ndarray) -> None:
        data, offset = image.data.cast("B"), row * self.slot_bytes
        while data:
            written = os.pwrite(self._file, data, offset)
            data, offset = data[written:], offset + written


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
