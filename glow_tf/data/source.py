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
        attribute_names: names of yes/no attributes: of what a class is made (see `attribute_classes`), and what
            directions in latent space are computed for.
        variant: str that tells several data sets of one name apart, such as "oord".
        split_record: the `SplitRecord` of held-out images (see `glow_tf.data.splits`).
        credits: author, source and license of the images, to be named where they are shown; "" if none need be.
    """

    def __init__(self, name, rows, class_names=(), attribute_names=(), variant="", split_record=None, credits=""):
        self.name, self.variant, self.split_record = name, variant, split_record
        self.rows = {split: np.asarray(r, np.int64) for split, r in rows.items()}
        self.class_names, self.attribute_names = tuple(class_names), tuple(attribute_names)
        self.credits = credits

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

    def image(self, row):
        """Return the image of a record as uint8 `[h, w, c]`, or None if it is damaged; TensorFlow is not needed."""
        raise NotImplementedError

    def decode(self, record):
        """Decode a raw record, inside `tf.data`.

        Returns:
            `{"image": uint8 [h, w, c], "label": int32 [], "attributes": int32 [a], "valid": bool []}`. An attribute is
            1 if the image has it, else -1. `valid` is False for a damaged record if the configuration allows them; its
            image is then all zero.
        """
        raise NotImplementedError


class ArraySource(Source):
    """Images that are held in memory.

    Args:
        images: uint8 array `[n, h, w, c]`.
        labels: int array `[n]`, or None.
        attributes: bool array `[n, len(attribute_names)]`, or None.
        check: function of the shape `(h, w, c)` of the images that raises a `DataError` if they cannot be used.
    """

    def __init__(self, name, images, labels, rows, *, check, attributes=None, **options):
        super().__init__(name, rows, **options)
        check(images.shape[1:])
        self.images = images
        self.labels = np.zeros(len(images), np.int32) if labels is None else np.asarray(labels, np.int32)
        self.attributes = np.zeros([len(images), 0], bool) if attributes is None else np.asarray(attributes, bool)

    def image(self, row):
        return self.images[row]

    def read(self, row):
        # A NumPy array would be copied into the graph; a tensor is captured.
        if not hasattr(self, "_tensors"):
            with tf.init_scope(), tf.device("CPU:0"):
                columns = self.images, self.labels, np.where(self.attributes, 1, -1).astype(np.int32)
                self._tensors = tuple(map(tf.constant, columns))
        return tuple(column[row] for column in self._tensors)

    def decode(self, record):
        image, label, attributes = record
        return {"image": image, "label": label, "attributes": attributes, "valid": tf.constant(True)}
