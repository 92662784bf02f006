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
    """

    def __init__(self, name, rows, class_names=(), attribute_names=(), variant=""):
        self.name, self.variant = name, variant
        self.rows = {split: np.asarray(r, np.int64) for split, r in rows.items()}
        self.class_names, self.attribute_names = tuple(class_names), tuple(attribute_names)

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


def consecutive_rows(counts):
    """Return the rows of parts that are stored one after another.

    Args:
        counts: dictionary of part -> number of records.

    Returns:
        dictionary of part -> int64 `[n]`.
    """
    rows, start = {}, 0
    for part, count in counts.items():
        rows[part] = np.arange(start, start + count)
        start += count
    return rows


def hold_out(rows, fraction, seed=0):
    """Split rows into `(train, held out)`.

    A fraction of the rows, at least one, is held out, chosen and shuffled by a fixed seed.
    """
    rows = np.asarray(rows, np.int64)
    count = max(1, round(fraction * len(rows)))
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[count:])], rows[order[:count]]


def complete_splits(rows, config):
    """Return the rows of all three splits.

    A missing validation split is held out from the training split, and a missing test split is the validation split.
    Under the paper's protocol the validation split is the test split, and all other images are for training.

    Args:
        rows: dictionary of split -> int `[n]`.
        config: a `DataConfig`.

    Returns:
        dictionary of split -> int64 `[n]`.
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
