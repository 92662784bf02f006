"""The contract of a source of images: a table of raw records, read by index and decoded separately."""

import numpy as np
import tensorflow as tf

from glow_tf.errors import DataError


class Source:
    """Images by split and index.

    Reading by index is what makes an exact resume cheap: any position in the order of training can be reached without
    reading what lies before it.

    Args:
        name: str, as in `DataConfig.source`.
        rows: dictionary of split -> int64 `[n]`, the records of "train", "validation" and "test"; a missing split is
            absent.
        class_names: names of the labels 0, 1, ...; empty without labels.
        attribute_names: names of further yes/no attributes.
        variant: str that tells several data sets of one name apart, such as "oord".
        split_record: the `SplitRecord` of held-out images (see `glow_tf.data.splits`).
    """

    def __init__(self, name, rows, class_names=(), attribute_names=(), variant="", split_record=None):
        self.name, self.variant, self.split_record = name, variant, split_record
        self.rows = {split: np.asarray(r, np.int64) for split, r in rows.items()}
        self.class_names, self.attribute_names = tuple(class_names), tuple(attribute_names)

    skips_damaged = False
    """Whether `decode` may give a record that is not valid."""

    @property
    def uncached(self):
        """The source whose records are as they are stored, before they are fitted to a model's images."""
        return self

    def describe_cache(self):
        """Return a few words about the files of decoded images, or "" if there are none."""
        return ""

    @property
    def classes(self):
        """Return the number of classes; 0 without labels."""
        return len(self.class_names)

    def size(self, split):
        """Return the number of images in a split; raise a `DataError` if there are none."""
        return len(self.rows_of(split))

    def rows_of(self, split):
        """Return the records of a split, int64 `[n]`; raise a `DataError` if there are none."""
        if split not in self.rows or not len(self.rows[split]):
            raise DataError(f"{self.name} has no {split} images; it has {self._describe_splits()}.")
        return self.rows[split]

    def _describe_splits(self):
        return ", ".join(f"{len(r):,} {s}" for s, r in self.rows.items() if len(r)) or "none at all"

    def read(self, row):
        """Read a raw record, inside `tf.data`.

        Args:
            row: int64 scalar.

        Returns:
            tensors of any form that `decode` takes.
        """
        raise NotImplementedError

    def decode(self, record):
        """Decode a raw record, inside `tf.data`.

        Returns:
            `{"image": uint8 [h, w, c], "label": int32 [], "attributes": int32 [a], "valid": bool []}`. `valid` is False
            for a damaged record if the configuration allows them; its image is then all zero.
        """
        raise NotImplementedError


class ArraySource(Source):
    """Images that are held in memory.

    Args:
        images: uint8 array `[n, h, w, c]`.
        labels: int array `[n]`, or None.
        check: function of the shape `(h, w, c)` of the images that raises a `DataError` if they cannot be used.
    """

    def __init__(self, name, images, labels, rows, *, check, **options):
        super().__init__(name, rows, **options)
        check(images.shape[1:])
        self.images = images
        self.labels = np.zeros(len(images), np.int32) if labels is None else np.asarray(labels, np.int32)

    def read(self, row):
        # A NumPy array would be copied into the graph; a tensor is captured.
        if not hasattr(self, "_tensors"):
            with tf.init_scope(), tf.device("CPU:0"):
                self._tensors = tf.constant(self.images), tf.constant(self.labels)
        images, labels = self._tensors
        return images[row], labels[row]

    def decode(self, record):
        image, label = record
        return {"image": image, "label": label, "attributes": tf.zeros([0], tf.int32), "valid": tf.constant(True)}
