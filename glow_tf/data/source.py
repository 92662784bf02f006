"""The contract of a source of images: a table of raw records, read by index, decoded apart."""

import numpy as np
import tensorflow as tf

from glow_tf.errors import GlowError


class DataError(GlowError):
    """Data that cannot be used; the message says what was expected, what came, and what to do."""


class Source:
    """Images by split and index.

    Reading by index is what makes an exact resume cheap: any position in the order of training can be reached without
    touching what lies before it.

    Args:
        name: as in `DataConfig.source`.
        rows: dictionary of split -> int64 `[n]`, the records of "train", "validation" and "test"; a missing split is
            absent.
        class_names: names of the labels 0, 1, ...; empty without labels.
        attribute_names: names of further yes/no attributes.
        variant: which of several data sets of one name this is, such as "oord".
    """

    def __init__(self, name, rows, class_names=(), attribute_names=(), variant=""):
        self.name, self.variant = name, variant
        self.rows = {split: np.asarray(r, np.int64) for split, r in rows.items()}
        self.class_names, self.attribute_names = tuple(class_names), tuple(attribute_names)

    @property
    def classes(self):
        """Number of labels; 0 without."""
        return len(self.class_names)

    def size(self, split):
        """Number of images in a split; a `DataError` if there is no such split."""
        return len(self.rows_of(split))

    def rows_of(self, split):
        """The records of a split, int64 `[n]`."""
        if split not in self.rows or not len(self.rows[split]):
            raise DataError(f"{self.name} has no {split} images; it has {self._describe_splits()}.")
        return self.rows[split]

    def _describe_splits(self):
        return ", ".join(f"{len(r):,} {s}" for s, r in self.rows.items() if len(r)) or "none at all"

    def read(self, row):
        """The raw record of an int64 scalar, inside `tf.data`: anything that `decode` takes."""
        raise NotImplementedError

    def decode(self, record):
        """`{"image": uint8 [h, w, c], "label": int32 [], "attributes": int32 [a], "valid": bool []}` of a raw record.

        `valid` is False for a damaged record where the option allows them; its image is then all zero.
        """
        raise NotImplementedError


class ArraySource(Source):
    """Images that are held in memory.

    Args:
        images: uint8 `[n, h, w, c]`.
        labels: int `[n]`, or None.
    """

    def __init__(self, name, images, labels, rows, **options):
        super().__init__(name, rows, **options)
        self.images = images
        self.labels = np.zeros(len(images), np.int32) if labels is None else np.asarray(labels, np.int32)

    def read(self, row):
        # A numpy array would be copied into the graph; a tensor is captured.
        if not hasattr(self, "_tensors"):
            with tf.init_scope(), tf.device("CPU:0"):
                self._tensors = tf.constant(self.images), tf.constant(self.labels)
        images, labels = self._tensors
        return images[row], labels[row]

    def decode(self, record):
        image, label = record
        return {"image": image, "label": label, "attributes": tf.zeros([0], tf.int32), "valid": tf.constant(True)}


def hold_out(rows, share, seed=0):
    """`(train, held out)`: a share of the rows, at least one, chosen and shuffled by a fixed seed."""
    rows = np.asarray(rows, np.int64)
    count = max(1, round(share * len(rows)))
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[count:])], rows[order[:count]]


def complete_splits(rows, config):
    """Adds what is missing: validation from train; with the paper's protocol, validation is the test split.

    A source without a test split is tested on its validation split.
    """
    rows = {split: np.asarray(r, np.int64) for split, r in rows.items() if len(r)}
    if config.paper_protocol:
        if "test" not in rows:
            raise DataError(f"{config.source} has no test split, which the paper's protocol selects on.")
        if "validation" in rows:
            rows["train"] = np.concatenate([rows["train"], rows["validation"]])
        return {**rows, "validation": rows["test"]}
    if "validation" not in rows:
        rows["train"], rows["validation"] = hold_out(rows["train"], config.validation)
    rows.setdefault("test", rows["validation"])
    return rows
