"""Base class of the sources whose records are read and decoded one by one, in Python.

Such a source knows its records by number, so that any position in the order of training is reached at once.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, SupportsInt, TypeAlias

import numpy as np
import tensorflow as tf

from glow_tf.data.source import Source
from glow_tf.errors import DataError
from glow_tf.fields import setting
from glow_tf.types import Tensor

logger = logging.getLogger(__name__)

LoadedRecord: TypeAlias = tuple[np.ndarray, int | None, Sequence[int] | np.ndarray | None]
"""The image uint8 `[h, w, c]` or `[h, w]`, the label and the attributes of a record."""


class DamagedRecordError(Exception):
    """Report a record that cannot be decoded; the message names it."""


class RecordSource(Source):
    """A source whose records are read by a Python function.

    Args:
        name: as in `DataConfig.source`.
        rows: the records of each split, int `[n]`.
        load: function of the number of a record that reads it; raises `DamagedRecordError`. The label may be None if
            labels are not requested.
        check: function of the shape `(h, w, c)` of an image that raises a `DataError` if it cannot be used; called for
            each image that is read.
        on_damaged: "stop": a damaged record stops the run with its name; "skip": it is named once and left out: in
            training the next record replaces it, in an evaluation it has weight 0.
        labels: labels are requested: each must be one of the classes. If not, another label is taken as -1.
        contents: function that returns a text that differs for other images (see `glow_tf.data.cache`); None: such
            images are never kept on disk.
        **options: further ones of `Source`.
    """

    def __init__(
        self,
        name: str,
        rows: Mapping[str, np.ndarray],
        load: Callable[[int], LoadedRecord],
        *,
        check: Callable[[Sequence[int]], None],
        on_damaged: Literal["stop", "skip"] = "stop",
        labels: bool = False,
        contents: Callable[[], str | None] = lambda: None,
        **options: Any,
    ) -> None:
        super().__init__(name, rows, **options)
        self.contents, self.skips_damaged = contents, on_damaged == "skip"
        self._load, self._check, self._on_damaged, self._labels = load, check, on_damaged, labels
        self._reported_rows: set[int] = set()

    def image(self, row: int) -> np.ndarray | None:
        """Return the image of a record as uint8 `[h, w, c]`, or None if it is damaged, which is not reported."""
        with contextlib.suppress(DamagedRecordError):
            return self._load_intact(int(row))[0]
        return None

    def read(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Read a record in Python: its image, label, attributes and validity."""
        image, label, attributes, valid = tf.numpy_function(
            self._load_checked, [row], [tf.uint8, tf.int32, tf.int32, tf.bool], stateful=False
        )
        return image, label, attributes, valid

    def decode(self, record: tuple[Tensor, Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
        """Name the parts of a record and set their static shapes."""
        image, label, attributes, valid = record
        return {
            "image": tf.ensure_shape(image, [None, None, None]),
            "label": tf.ensure_shape(label, []),
            "attributes": tf.ensure_shape(attributes, [len(self.attribute_names)]),
            "valid": tf.ensure_shape(valid, []),
        }

    def record(self, row: SupportsInt) -> tuple[np.ndarray, np.int32, np.ndarray, np.bool_]:
        """Return image, label, attributes and validity of a record, as `read` does in a graph."""
        return self._load_checked(row)

    def sample_sizes(self, count: int) -> list[tuple[int, int]]:
        """Return the sizes `(h, w)` of about `count` images, as far as they can be read."""
        sizes = []
        rows = np.unique(np.concatenate(list(self.rows.values())))
        for row in rows[:: max(1, len(rows) // count)].tolist():
            with contextlib.suppress(DamagedRecordError):
                height, width = self._load(row)[0].shape[:2]
                sizes.append((height, width))
        return sizes

    def _load_checked(self, row: SupportsInt) -> tuple[np.ndarray, np.int32, np.ndarray, np.bool_]:
        try:
            return self._load_intact(int(row))
        except DamagedRecordError as error:
            if self._on_damaged == "stop":
                skip = setting("on_damaged", "skip")
                raise DataError(f"{error}; {skip} leaves such images out.") from error
            self._report_once(int(row), error)
            return np.zeros([1, 1, 1], np.uint8), np.int32(0), self._no_attributes(), np.bool_(False)

    def _load_intact(self, row: int) -> tuple[np.ndarray, np.int32, np.ndarray, np.bool_]:
        """Return image, label, attributes and True; raise a `DamagedRecordError` if the record is damaged."""
        image, label, attributes = self._load(row)
        image = image[..., None] if image.ndim == 2 else image
        if image.dtype != np.uint8 or image.ndim != 3:
            raise DataError(f"{self.name}: expected uint8 images [h, w, c], got {image.dtype} {image.shape} at {row}.")
        self._check(image.shape)
        signs = self._no_attributes() if attributes is None else np.asarray(attributes, np.int32)
        return np.ascontiguousarray(image), np.int32(self._checked_label(label, row)), signs, np.bool_(True)

    def _checked_label(self, label: int | None, row: int) -> int:
        if not self.classes:
            return 0
        if label is not None and 0 <= label < self.classes:
            return label
        if self._labels:
            raise DataError(f"{self.name}: image {row} has the label {label}, expected 0 to {self.classes - 1}.")
        return -1

    def _report_once(self, row: int, error: DamagedRecordError) -> None:
        if row not in self._reported_rows:
            self._reported_rows.add(row)
            logger.warning("left out: %s", error)
        for split, rows in self.rows.items():
            if 0 < len(rows) <= len(self._reported_rows) and self._reported_rows.issuperset(rows.tolist()):
                name = "training" if split == "train" else split
                raise DataError(
                    f"{self.name}: none of the {name} images ({len(rows):,}) can be read; the last: {error}."
                )

    def _no_attributes(self) -> np.ndarray:
        return np.zeros([len(self.attribute_names)], np.int32)
