"""Images with yes/no tags, from which attribute directions are made and by which they are judged."""

import copy
import dataclasses

import numpy as np

from glow_tf.data import pipeline
from glow_tf.evaluation.acting import Pool
from glow_tf.evaluation.checks import EvaluationError
from glow_tf.evaluation.own_images import image_files, own_images


@dataclasses.dataclass(frozen=True)
class Tagged:
    """Images to learn from, and others to judge by.

    Args:
        learn: a `Pool`.
        check: a `Pool` of other images with the same names; None where there are too few.
    """

    learn: Pool
    check: Pool


def tag_names(source):
    """The tags that a source has: its attributes, or its classes."""
    return source.attribute_names or source.class_names


def pool(subject, split, limit):
    """A `Pool` of at most `limit` images, spread evenly over the split: folders and databases come sorted by class."""
    names = tag_names(subject.source)
    if not names:
        raise EvaluationError(
            f"{subject.source.name} has neither labels nor attributes; give --folders WITH WITHOUT, or --load."
        )
    rows, spread = subject.source.rows_of(split), copy.copy(subject.source)
    spread.rows = {split: rows[np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int)]}
    images, labels, attributes = pipeline.arrays(spread, split, subject.data, subject.model.image_shape)
    tags = attributes > 0 if subject.source.attribute_names else labels[:, None] == np.arange(len(names))
    return Pool(images, subject.labels(labels), tags, names)


def of_source(subject, limit):
    """Training images to learn from, test images to judge by; `limit` of each at most."""
    return Tagged(pool(subject, "train", limit), pool(subject, "test", limit))


def of_folders(subject, folders, limit, name="attribute"):
    """A user's two folders, with and without; every fourth image is kept to judge by, if each folder has eight."""
    if len(folders) != 2:
        raise EvaluationError(
            f"--folders: expected two, images with the attribute and images without, got {len(folders)}."
        )
    groups = [own_images(image_files(f)[:limit], subject.model.image_shape) for f in folders]
    enough = min(map(len, groups)) >= 8
    pools = []
    for check in (False, True):
        parts = [g[(np.arange(len(g)) % 4 == 3) == check] if enough else g for g in groups]
        tags = np.repeat([[True], [False]], [len(p) for p in parts], axis=0)
        labels = subject.labels(np.zeros(len(tags), int))
        pools.append(Pool(np.concatenate(parts), labels, tags, (name,)))
    return Tagged(pools[0], pools[1] if enough else None)
