"""Images with what is known of them: the source's tags, or its classes as yes/no tags."""

import copy

import numpy as np

from glow_tf.data import pipeline
from glow_tf.evaluation.subject import EvaluationError


def tagged_images(subject, limit):
    """Training images with tags: `(images uint8 [n, H, W, C], labels int [n], tags bool [n, a], names)`.

    Args:
        subject: a `Subject`.
        limit: at most so many, spread evenly over the split: folders and databases come sorted by class.

    Raises:
        EvaluationError: the source has neither labels nor attributes.
    """
    source = subject.source
    if not source.attribute_names and not source.classes:
        raise EvaluationError(
            f"{source.name} has neither labels nor attributes; give --folders WITH WITHOUT, or --load."
        )
    rows = source.rows_of("train")
    spread = copy.copy(source)
    spread.rows = {"train": rows[np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int)]}
    images, labels, tags = pipeline.arrays(spread, "train", subject.data, subject.model.image_shape)
    if source.attribute_names:
        return images, labels, tags > 0, source.attribute_names
    return images, labels, labels[:, None] == np.arange(source.classes), source.class_names
