"""The contract of a source of images: a table of raw records, read by index and decoded separately."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf.config import SplitRecord
from glow_tf.errors import DataError
from glow_tf.types import Images, ImageShape, Tensor


class Source:
    """Images by split and index.

    Reading by index is what makes an exact resume cheap: any position in the order of training can be reached without
    reading what lies before it.

    Args:
        name: as in `DataConfig.source`.
        rows: int `[n]` by split, the records of "train", "validation" and "test"; a missing split is absent.
        class_names: names of the labels 0, 1, ...; empty without labels.
        attribute_names: names of yes/no attributes, which `DataConfig.class_attributes` makes classes of and directions
            in latent space are computed for.
        variant: name that tells several data sets of one name apart, such as "oord".
        split_record: the `SplitRecord` of how images were held out, or None.
        credits: author, source and license of the images, to be named where they are shown; "" if none need be.
    """

    def __init__(
        self,
        name: str,
        rows: Mapping[str, np.ndarray],
        class_names: Sequence[str] = (),
        attribute_names: Sequence[str] = (),
        variant: str = "",
        split_record: SplitRecord | None = None,
        credits: str = "",
    ) -> None:
        self.name, self.variant, self.split_record = name, variant, split_record
        self.rows = {split: np.asarray(r, np.int64) for split, r in rows.items()}
        self.class_names, self.attribute_names = tuple(class_names), tuple(attribute_names)
        self.credits = credits

    skips_damaged = False
    """True if `decode` may return a record that is not valid."""

    def describe_cache(self) -> str:
        """Return a few words about the files of decoded images, or "" if there are none."""
        return ""

    @property
    def classes(self) -> int:
        """Return the number of classes; 0 without labels."""
        return len(self.class_names)

    def size(self, split: str) -> int:
        """Return the number of images in a split; raise a `DataError` if there are none."""
        return len(self.rows_of(split))

    def rows_of(self, split: str) -> np.ndarray:
        """Return the records of a split, int64 `[n]`; raise a `DataError` if there are none."""
        if split not in self.rows or not len(self.rows[split]):
            raise DataError(f"{self.name} has no {split} images; it has {self._describe_splits()}.")
        return self.rows[split]

    def _describe_splits(self) -> str:
        return ", ".join(f"{len(r):,} {s}" for s, r in self.rows.items() if len(r)) or "none at all"

    def read(self, row: Tensor) -> Any:
        """Read a raw record, inside `tf.data`.

        Args:
            row: number of the record, an int64 scalar.

        Returns:
            Tensors of any form that `decode` takes.
        """
        raise NotImplementedError

    def image(self, row: int) -> np.ndarray | None:
        """Return the image of a record as uint8 `[h, w, c]`, or None if it is damaged; TensorFlow is not needed."""
        raise NotImplementedError

    def decode(self, record: Any) -> dict[str, Tensor]:
        """Decode a raw record, inside `tf.data`.

        Args:
            record: the tensors that `read` returns.

        Returns:
            `{"image": uint8 [h, w, c], "label": int32 [], "attributes": int32 [a], "valid": bool []}`. An attribute is
            1 if the image has it, else -1. `valid` is False for a damaged record if the configuration allows them; its
            image is then all zero.
        """
        raise NotImplementedError

    def can_gather(self, rows: Tensor, image_shape: ImageShape) -> Tensor | bool:
        """Return whether `gather` returns these records, with images of that shape; False if it never does.

        Args:
            rows: numbers of records, int64 `[n]`.
            image_shape: shape of the model's images.
        """
        return False

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """Return what `decode` returns, stacked, of records that are decoded already.

        Args:
            rows: numbers of records, int64 `[n]`.
        """
        raise NotImplementedError


class ArraySource(Source):
    """A source whose images are in memory.

    Args:
        name: as in `DataConfig.source`.
        images: uint8 array `[n, h, w, c]`.
        labels: int array `[n]`, or None.
        rows: the records of each split, int `[n]`.
        attributes: bool array `[n, len(attribute_names)]`, or None.
        check: function of the shape `(h, w, c)` of the images that raises a `DataError` if they cannot be used.
        **options: further ones of `Source`.

    Example:
        >>> rows = {"train": np.arange(3), "test": np.array([3])}
        >>> source = ArraySource("zeros", np.zeros([4, 8, 8, 1], np.uint8), None, rows, check=lambda shape: None)
        >>> source.size("train"), source.image(3).shape
        (3, (8, 8, 1))
    """

    def __init__(
        self,
        name: str,
        images: Images,
        labels: np.ndarray | None,
        rows: Mapping[str, np.ndarray],
        *,
        check: Callable[[Sequence[int]], None],
        attributes: np.ndarray | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, rows, **options)
        check(images.shape[1:])
        self.images = images
        self.labels = np.zeros(len(images), np.int32) if labels is None else np.asarray(labels, np.int32)
        self.attributes = np.zeros([len(images), 0], bool) if attributes is None else np.asarray(attributes, bool)

    def image(self, row: int) -> np.ndarray:
        """Return the image of a record as uint8 `[h, w, c]`."""
        return self.images[row]

    def read(self, row: Tensor) -> tuple[Tensor, ...]:
        """Return the image, the label and the attributes of a record."""
        return tuple(column[row] for column in self._columns())

    def decode(self, record: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Name the parts of a record, which is valid."""
        image, label, attributes = record
        return {"image": image, "label": label, "attributes": attributes, "valid": tf.constant(True)}

    def can_gather(self, rows: Tensor, image_shape: ImageShape) -> bool:
        """Return whether the images have that shape."""
        return self.images.shape[1:] == tuple(image_shape)

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the records of these rows."""
        image, label, attributes = (tf.gather(column, rows) for column in self._columns())
        return {"image": image, "label": label, "attributes": attributes, "valid": tf.ones(tf.shape(rows), tf.bool)}

    def _columns(self) -> tuple[Tensor, ...]:
        # A NumPy array would be copied into the graph; a tensor is captured.
        if not hasattr(self, "_tensors"):
            with tf.init_scope(), tf.device("CPU:0"):
                columns = self.images, self.labels, np.where(self.attributes, 1, -1).astype(np.int32)
                self._tensors = tuple(map(tf.constant, columns))
        return self._tensors
