"""Labels of images: the classes 0, 1, ... of a source."""

import itertools
import warnings
from collections.abc import Sequence

import numpy as np

from glow_tf.errors import DataError

MAX_CLASSES = 100_000
"""Number of classes above which labels are taken for something else; ImageNet-21k has 21,841."""


def check_class_names(names: Sequence[str], recorded: Sequence[str] | None, source_name: str) -> None:
    """Check that the labels mean the classes that they meant when a run was started.

    Args:
        names: names of the classes, in the order of their labels.
        recorded: those that the run has recorded, or None.
        source_name: name of the source, for messages.

    Raises:
        DataError: the names differ.
    """
    differences = [] if recorded is None else differing_classes(recorded, names)
    if differences:
        label, then, now = differences[0]
        raise DataError(
            f"{source_name}: the classes have changed: label {label} was {then} when the run was started and is {now} "
            "now; bring the first names back, or start a new run."
        )


def differing_classes(theirs: Sequence[str], ours: Sequence[str]) -> list[tuple[int, str, str]]:
    """Return `(label, their name, our name)` of each label that means another class.

    Example:
        >>> differing_classes(["cat", "dog"], ["cat", "fox", "owl"])
        [(1, 'dog', 'fox'), (2, 'no class', 'owl')]
    """
    pairs = itertools.zip_longest(theirs, ours, fillvalue="no class")
    return [(label, their, our) for label, (their, our) in enumerate(pairs) if their != our]


def label_column(labels: np.ndarray | None, count: int, name: str) -> np.ndarray:
    """Return the labels of an array as integers `[n]`.

    Args:
        labels: array `[n]` or `[n, 1]`, or None where there are none.
        count: n, the number of images.
        name: name of the source, for messages.

    Raises:
        DataError: it does not hold a class for each image.
    """
    if labels is not None and labels.shape == (count, 1):
        labels = labels[:, 0]
    if labels is None or labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        got = "none for a split" if labels is None else f"{labels.dtype} {labels.shape}"
        raise DataError(f"{name}: expected one label per image, integers [{count}] from 0, got {got}.")
    return labels


def count_classes(labels: np.ndarray, name: str) -> int:
    """Return the number of classes of labels: one more than the largest label.

    Args:
        labels: integers, a non-empty array of any type.
        name: name of the source, for messages.

    Raises:
        DataError: a label is negative, or too large to be one.

    Example:
        >>> count_classes(np.array([0, 2, 1]), "npz:images.npz")
        3
    """
    smallest, largest = int(labels.min()), int(labels.max())
    if smallest < 0 or largest >= MAX_CLASSES:
        raise DataError(
            f"{name}: expected labels 0 ... classes - 1, of at most {MAX_CLASSES:,} classes, got labels from "
            f"{smallest} to {largest}; number the classes from 0, or leave the labels out."
        )
    return largest + 1


def warn_of_gaps(labels: np.ndarray, classes: int, name: str) -> None:
    """Warn if some of the classes have no images: numbers that are not consecutive make more classes than there are."""
    present = len(np.unique(labels))
    if present < classes:
        warnings.warn(
            f"{name}: labels up to {classes - 1} make {classes:,} classes, and there are images of {present:,} of them "
            "only; number the classes 0, 1, 2, ... if there are no others.",
            stacklevel=2,
        )
