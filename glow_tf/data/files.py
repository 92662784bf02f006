"""Base class of the sources whose records are read and decoded one by one, in Python.

Such a source knows its records by number, so that any position in the order of training is reached at once.
"""

import contextlib
import os
import sys

import numpy as np
import tensorflow as tf

from glow_tf.data.source import Source
from glow_tf.errors import DataError


class DamagedRecord(Exception):
    """A record that cannot be decoded; the message names it."""


def stamp(path):
    """Return a str that differs for other contents of a file: its size and the times of its last changes."""
    try:
        status = os.stat(path)
    except OSError:  # a record that cannot be read is named when its turn comes
        return " missing;"
    return f" {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns};"


class RecordSource(Source):
    """A source whose records are read by a Python function.

    Args:
        load: function `int -> (image uint8 [h, w, c], label, attributes)`; raises `DamagedRecord`. The label may be
            None if no labels are wanted.
        check: function of the shape `(h, w, c)` of an image that raises a `DataError` if it cannot be used; called for
            each image that is read.
        on_damaged: "stop": a damaged record stops the run with its name; "skip": it is named once and left out: in
            training the next record replaces it, in an evaluation it has weight 0.
        labels: bool, labels are wanted: each must be one of the classes. If not, another label is taken as -1.
        contents: function that returns a str that differs for other images (see `glow_tf.data.cache`); None: such
            images are never kept on disk.
    """

    def __init__(self, name, rows, load, *, check, on_damaged="stop", labels=False, contents=lambda: None, **options):
        super().__init__(name, rows, **options)
        self.contents, self.skips_damaged = contents, on_damaged == "skip"
        self._load, self._check, self._on_damaged, self._labels = load, check, on_damaged, labels
        self._reported_rows = set()

    def read(self, row):
        image, label, attributes, valid = tf.numpy_function(
            self._load_checked, [row], [tf.uint8, tf.int32, tf.int32, tf.bool], stateful=False
        )
        return image, label, attributes, valid

    def decode(self, record):
        image, label, attributes, valid = record
        return {
            "image": tf.ensure_shape(image, [None, None, None]),
            "label": tf.ensure_shape(label, []),
            "attributes": tf.ensure_shape(attributes, [len(self.attribute_names)]),
            "valid": tf.ensure_shape(valid, []),
        }

    def sample_sizes(self, count):
        """Return a list of the sizes `(h, w)` of about `count` images, as far as they can be read."""
        sizes = []
        rows = np.unique(np.concatenate(list(self.rows.values())))
        for row in rows[:: max(1, len(rows) // count)].tolist():
            with contextlib.suppress(DamagedRecord):
                sizes.append(self._load(row)[0].shape[:2])
        return sizes

    def _load_checked(self, row):
        try:
            image, label, attributes = self._load(int(row))
        except DamagedRecord as error:
            if self._on_damaged == "stop":
                raise DataError(f"{error}; --on-damaged skip leaves such ones out.") from error
            self._report_once(int(row), error)
            return np.zeros([1, 1, 1], np.uint8), np.int32(0), self._no_attributes(), np.bool_(False)
        image = image[..., None] if image.ndim == 2 else image
        if image.dtype != np.uint8 or image.ndim != 3:
            raise DataError(f"{self.name}: expected uint8 images [h, w, c], got {image.dtype} {image.shape} at {row}.")
        self._check(image.shape)
        attributes = self._no_attributes() if attributes is None else np.asarray(attributes, np.int32)
        label = np.int32(self._checked_label(label, int(row)))
        return np.ascontiguousarray(image), label, attributes, np.bool_(True)

    def _checked_label(self, label, row):
        if not self.classes:
            return 0
        if label is not None and 0 <= label < self.classes:
            return label
        if self._labels:
            raise DataError(f"{self.name}: image {row} has the label {label}, expected 0 to {self.classes - 1}.")
        return -1

    def _report_once(self, row, error):
        if row not in self._reported_rows:
            self._reported_rows.add(row)
            print(f"left out: {error}", file=sys.stderr)
        for split, rows in self.rows.items():
            if 0 < len(rows) <= len(self._reported_rows) and self._reported_rows.issuperset(rows.tolist()):
                name = "training" if split == "train" else split
                raise DataError(f"{self.name}: none of the {len(rows):,} {name} images can be read; the last: {error}.")

    def _no_attributes(self):
        return np.zeros([len(self.attribute_names)], np.int32)
