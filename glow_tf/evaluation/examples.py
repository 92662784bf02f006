"""The images that a command shows: examples of the test split that differ, or a user's own files."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glow_tf.data import pipeline
from glow_tf.data.splits import spread_positions
from glow_tf.errors import ConfigError
from glow_tf.evaluation.file_names import own_files_suffix
from glow_tf.evaluation.own_files import read_own_images
from glow_tf.evaluation.trained_model import EvaluationContext

MIN_LOOKED_AT = 256
"""Images that examples of all classes are chosen from, at least, where there are as many."""


class Examples(NamedTuple):
    """Images to show.

    Args:
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        names: n descriptions, such as `test image 12 (7)`.
        headings: n descriptions that fit above an image, such as `7`.
        suffix: end of the names of the files about them, "" for test images.
    """

    images: np.ndarray
    labels: np.ndarray | None
    names: list[str]
    headings: list[str]
    suffix: str = ""


def read_examples(
    context: EvaluationContext, count: int, files: Sequence[str] = (), label: int | None = None
) -> Examples:
    """Return a user's own images if there are files, else examples of the test split.

    Args:
        context: model and data.
        count: number of test images.
        files: paths of own images, which are resized to the model's.
        label: class of the own images for a conditional model; None is 0.

    Raises:
        ConfigError: the model has no such label, or there are no files to give it to.
        DataError: a file cannot be read, or there are no test images.
    """
    _check_label(label, context.model.config.classes, files)
    if not files:
        return choose_examples(context, count)
    images = read_own_images(files, context.model.image_shape)
    names, stems = zip(*((path.name, path.stem) for path in map(pathlib.Path, files)), strict=True)
    labels = context.model_labels(np.full(len(files), label or 0))
    return Examples(images, labels, list(names), list(stems), own_files_suffix(files, label))


def choose_examples(context: EvaluationContext, count: int) -> Examples:
    """Choose at most `count` test images, alternately of all classes, or spread over the split where there are none.

    Sources are often sorted by class, so the first images would be alike.

    Raises:
        DataError: there are no test images.
    """
    source = context.source
    rows = source.rows_of("test")
    looked_at = max(count, MIN_LOOKED_AT) if source.classes else count
    positions = spread_positions(len(rows), looked_at)
    images, labels, _ = pipeline.arrays(source, "test", context.data, context.model.image_shape, rows=rows[positions])
    numbers: list[object] = list(positions) if len(images) == len(positions) else [""] * len(images)  # damaged ones
    chosen = spread_over_classes(labels, count) if source.classes else np.arange(min(count, len(images)))
    headings = [source.class_names[labels[i]] if source.classes else f"{numbers[i]}" for i in chosen]
    names = [f"test image {numbers[i]}".strip() for i in chosen]
    if source.classes:
        names = [f"{name} ({heading})" for name, heading in zip(names, headings, strict=True)]
    return Examples(images[chosen], context.model_labels(labels[chosen]), names, headings)


def spread_over_classes(labels: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` indices of labels `[n]`: one of each class, then a second of each, and so on.

    Of more classes than `count` some are left out, evenly.

    Example:
        >>> spread_over_classes(np.array([0, 0, 0, 1, 2]), 4).tolist()
        [0, 3, 4, 1]
    """
    rank = np.zeros(len(labels), int)
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.sum(labels == label))
    order = np.lexsort((labels, rank))
    classes = np.sum(rank == 0)
    return order[:count] if count >= classes else order[spread_positions(classes, count)]


def _check_label(label: int | None, classes: int, files: Sequence[str]) -> None:
    """Raise a `ConfigError` for a label that the model does not have, or that would be ignored."""
    if label is None:
        return
    if not classes:
        raise ConfigError("--label: the model is unconditional and takes no label; leave it out.")
    if label >= classes:
        raise ConfigError(f"--label: expected 0 to {classes - 1}, got {label}.")
    if not files:
        raise ConfigError("--label is the class of your own files, and test images have their own; give --images too.")
