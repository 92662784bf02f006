"""A cache of decoded images: each record is decoded once, then read from memory or from a memory-mapped file.

What a cache holds does not depend on randomness: images upright, in the model's channels, and of its size. With
`fit="random_crop"` they keep their own size, and are cropped anew at every step. Damaged images are never stored.

A small source whose images are fitted is kept in memory. Larger ones, and images of their own size, are kept on disk,
under a key of everything that the pixels depend on, and so they serve later runs too.
"""

import contextlib
import functools
import math
import os
import pathlib
import threading
import time
import warnings
import weakref
from typing import Any

import numpy as np
import PIL
import tensorflow as tf

from glow_tf.config import DataConfig
from glow_tf.counts import counted
from glow_tf.data import aliased
from glow_tf.data import images as image_ops
from glow_tf.data.cache_folder import CacheFolder, default_folder, open_folder
from glow_tf.data.decoded_images import ImageTable
from glow_tf.data.files import RecordSource
from glow_tf.data.hold_out import digest
from glow_tf.data.source import Source
from glow_tf.errors import RunError
from glow_tf.types import ImageShape, Tensor

FORMAT = 2
"""Number of the form of a disk cache; another number makes another key."""

MAX_BYTES_IN_MEMORY = 2**28
"""Bytes of all images of a source up to which they are kept in memory."""

MAX_VALUES_ALONE = 2**15
"""Values of an image up to which one thread at a time decodes a group: Python's lock would change hands too often."""

SAMPLED_RECORDS = 32
"""Records whose sizes tell the size of a slot where images keep their own."""

SLOT_FACTOR = 2
"""Size of a slot as a multiple of the largest sampled image."""


class CachedSource(Source):
    """A source that decodes each record of another one once.

    Args:
        uncached: the other source.
        config: its configuration.
        image_shape: the shape that the images are fitted to.
        table: the table that keeps the images.
        folder: the folder of the table; None keeps it in memory.
    """

    def __init__(
        self,
        uncached: RecordSource,
        config: DataConfig,
        image_shape: ImageShape,
        table: ImageTable,
        folder: CacheFolder | None = None,
    ) -> None:
        super().__init__(
            uncached.name,
            uncached.rows,
            class_names=uncached.class_names,
            attribute_names=uncached.attribute_names,
            variant=uncached.variant,
            split_record=uncached.split_record,
            credits=uncached.credits,
        )
        self._uncached, self.skips_damaged = uncached, uncached.skips_damaged
        self._config, self.table, self.folder = config, table, folder
        height, width, channels = image_shape
        self._image_shape = height, width, channels
        self._fills_groups = True
        is_small = math.prod(image_shape) <= MAX_VALUES_ALONE
        self._decoding = threading.Lock() if is_small else contextlib.nullcontext()
        if folder is not None:
            self._finalizer = weakref.finalize(self, folder.close)

    def image(self, row: int) -> np.ndarray | None:
        """Return the image of a record as it is stored, or None if it is damaged."""
        return self._uncached.image(row)

    def describe_cache(self) -> str:
        """Return the path of the folder and how many images are in it, or "" of a cache in memory."""
        if self.folder is None:
            return ""
        filled = int(self.table.columns["filled"].sum(dtype=np.int64))
        return f"{self.folder.path}, {filled:,} of {counted(self.table.count, 'image')} so far"

    def close(self) -> None:
        """Save what is on disk and let another process fill it."""
        if self.folder is not None:
            self._finalizer()

    def read(self, row: Tensor) -> Tensor:
        """Return the number of a record, which `decode` takes."""
        return row

    def decode(self, record: Tensor) -> dict[str, Tensor]:
        """Look a record up in the table, or decode and store it."""
        is_filled = self.table.variables["filled"].read_value()[record] > 0
        image, label, attributes, valid = tf.cond(
            is_filled, lambda: self._stored(record), lambda: self._decode_and_store(record)
        )
        return {"image": image, "label": label, "attributes": attributes, "valid": valid}

    def can_gather(self, rows: Tensor, image_shape: ImageShape) -> Tensor | bool:
        """Return whether these records are in the table, as images of that shape; store those that need no fitting."""
        if self._keeps_size or self._image_shape != tuple(image_shape):
            return False
        are_filled = tf.reduce_all(tf.gather(self.table.variables["filled"].read_value(), rows) > 0)
        fill = functools.partial(tf.numpy_function, self._fill_group, [rows], tf.bool, stateful=False)
        return tf.cond(are_filled, lambda: True, lambda: tf.ensure_shape(fill(), []))

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """Return records that are in the table."""
        # Not `tf.gather` of a variable, which would give it memory of its own.
        columns = {name: tf.gather(v.read_value(), rows) for name, v in self.table.variables.items()}
        attributes = columns.get("attributes", tf.zeros([tf.shape(rows)[0], 0], tf.int32))
        valid = tf.ones(tf.shape(rows), tf.bool)
        return {"image": columns["pixels"], "label": columns["label"], "attributes": attributes, "valid": valid}

    def _stored(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return image, label, attributes and validity of a record that is in the table."""
        variables = self.table.variables
        image = variables["pixels"].read_value()[row]
        if self._keeps_size:
            height, width = tf.unstack(variables["size"].read_value()[row])
            channels = self._image_shape[2]
            image = tf.reshape(image[: height * width * channels], [height, width, channels])
        has_attributes = "attributes" in variables
        attributes = variables["attributes"].read_value()[row] if has_attributes else tf.zeros([0], tf.int32)
        return image, variables["label"].read_value()[row], attributes, tf.constant(True)

    def _decode_and_store(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        record = self._uncached.decode(self._uncached.read(row))
        image = self._fit(record["image"], record["valid"])
        values = [row, image, record["label"], record["attributes"], record["valid"]]
        # A result that nobody used, or only waited for, would be optimized away, and the call with it.
        valid = tf.ensure_shape(tf.numpy_function(self._store, values, tf.bool, stateful=False), [])
        return image, record["label"], record["attributes"], valid

    def _fill_group(self, rows: np.ndarray) -> np.bool_:
        """Decode and store images that need no fitting, in one call of Python; return whether all are stored."""
        with self._decoding:
            return np.bool_(self._fill_rows(rows.tolist()))

    def _fill_rows(self, rows: list[int]) -> bool:
        for row in rows:
            if self.table.columns["filled"][row]:
                continue
            if not self._fills_groups or not self.table.writable:
                return False
            image, label, attributes, valid = self._uncached.record(row)
            if image.shape != self._image_shape:
                self._fills_groups = not valid  # others are likely to need it too
                return False
            self._store(row, image, label, attributes, valid)
        return bool(self.table.columns["filled"][rows].all())  # the disk may be full

    @property
    def _keeps_size(self) -> bool:
        return self._config.fit == "random_crop"

    def _fit(self, image: Tensor, valid: Tensor) -> Tensor:
        if not self._keeps_size:
            return image_ops.fit(image, self._image_shape, self._config.fit, valid=valid)
        channels = self._image_shape[2]
        image = tf.cond(
            valid,
            lambda: image_ops.with_channels(image, channels),
            lambda: tf.zeros([1, 1, channels], tf.uint8),
        )
        return tf.ensure_shape(image, [None, None, channels])

    def _store(
        self, row: int | np.integer, image: np.ndarray, label: np.integer, attributes: np.ndarray, valid: np.bool_
    ) -> np.bool_:
        """Fill a record of the table; return whether it is valid."""
        if valid:
            try:
                self.table.fill(int(row), np.ascontiguousarray(image), label, attributes)
            except OSError as error:  # the disk is full
                assert self.folder is not None  # memory raises no such error
                self.table.writable = False
                warnings.warn(f"no more images are cached in {self.folder.path}: {error.strerror}.", stacklevel=2)
            if self.folder is not None and self.table.writable:
                self.folder.filled()
        return np.bool_(valid)


def cached(
    source: RecordSource, config: DataConfig, image_shape: ImageShape, cache_dir: pathlib.Path | str | None = None
) -> Source:
    """Return a `CachedSource` of a `RecordSource`, or the source itself where no cache can be made.

    Args:
        source: the source to keep decoded images of.
        config: its configuration.
        image_shape: shape of the model's images.
        cache_dir: folder of all caches on disk; None: see `default_folder`.
    """
    if not aliased.is_supported():
        return source
    count, channels = 1 + max(int(rows.max()) for rows in source.rows.values() if len(rows)), image_shape[2]
    arguments = count, channels, len(source.attribute_names)

    def slot_shape() -> tuple[tuple[int, ...], int]:
        """Return the shape of a slot, and the mean bytes of an image."""
        if config.fit != "random_crop":
            return image_shape, math.prod(image_shape)
        sizes = [channels * height * width for height, width in source.sample_sizes(SAMPLED_RECORDS)]
        sizes = sizes or [math.prod(image_shape)]
        return (SLOT_FACTOR * max(sizes) if len(set(sizes)) > 1 else sizes[0],), int(np.mean(sizes))

    is_small = config.fit != "random_crop" and count * math.prod(image_shape) <= MAX_BYTES_IN_MEMORY
    if is_small:
        return CachedSource(source, config, image_shape, ImageTable(count, image_shape, *arguments[1:]))
    about = _describe(source, config, image_shape)
    try:
        if (contents := source.contents()) is None or not hasattr(os, "pwrite"):  # which Windows has not
            return source
        path = pathlib.Path(cache_dir or default_folder()).expanduser() / digest(contents, repr(sorted(about.items())))
        about = {"source": source.name, "images": count, "made": time.strftime("%Y-%m-%d"), **about}
        folder = open_folder(path, about, *arguments, slot_shape)
    except (OSError, RunError) as error:
        reason = str(error).rstrip(".")
        warnings.warn(f"decoded images are not cached, and training reads more slowly: {reason}.", stacklevel=2)
        return source
    return CachedSource(source, config, image_shape, folder.table, folder)


def _describe(source: Source, config: DataConfig, image_shape: ImageShape) -> dict[str, Any]:
    """Return plain values of all that decoded images depend on besides the contents of their source."""
    return {
        "image_shape": list(image_shape),
        "fit": config.fit,
        "labels": config.labels,
        "classes": list(source.class_names),
        "attributes": list(source.attribute_names),
        "pillow": PIL.__version__,
        "tensorflow": tf.__version__,
        "format": FORMAT,
    }
