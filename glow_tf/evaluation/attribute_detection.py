"""Detect attributes in real images and in samples by a classifier of real images."""

import numpy as np

from glow_tf.batched import ProgressBar
from glow_tf.edits import DecodeWithOvershoot
from glow_tf.evaluation.accuracy import SampleClassifier
from glow_tf.evaluation.drawn_images import draw_images
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.model import Glow

SAMPLE_SEED = 0


def independent_attributes(tags: np.ndarray) -> np.ndarray:
    """Return which pairs of attributes occur in all four combinations.

    A combination that never occurs means that one attribute excludes or implies the other by construction, as two
    colors of the same hair do, or a smile and an open mouth: an edit of one changes the other rightly.

    Args:
        tags: bool `[n, a]`, the true attributes of real images.

    Returns:
        bool `[a, a]`, symmetric, with a diagonal of False.

    Example:
        >>> tags = [[i & 4, i & 2, i & 4 and i & 1] for i in range(8)]
        >>> independent_attributes(np.array(tags, bool)).tolist()
        [[False, True, False], [True, False, True], [False, True, False]]
    """
    present = tags.astype(int)
    absent = 1 - present
    return np.all([(a.T @ b) > 0 for a in (present, absent) for b in (present, absent)], axis=0)


def lower_accuracies(classifier: SampleClassifier, held_out: LabeledImages) -> dict[str, float]:
    """Compute the lower of a classifier's accuracy and its balanced accuracy on real images, for each attribute.

    The accuracy alone is high for a rare attribute that is never detected.

    Args:
        classifier: the classifier.
        held_out: images that it was not fitted to.

    Returns:
        Numbers in [0, 1] by name, without the attributes that are constant.
    """
    correct = classifier.predict(held_out.images) == held_out.tags
    accuracies = {}
    for name, right, tag in zip(held_out.names, correct.T, held_out.tags.T, strict=True):
        if held_out.differ_in(name):
            accuracies[name] = float(min(right.mean(), (right[tag].mean() + right[~tag].mean()) / 2))
    return accuracies


def sample_shares(
    model: Glow,
    classifier: SampleClassifier,
    labels: np.ndarray | None,
    count: int,
    *,
    decode: DecodeWithOvershoot | None = None,
    bar: ProgressBar | None = None,
) -> tuple[np.ndarray, int]:
    """Compute the share of samples at temperature 1 in which a classifier detects each attribute.

    A sample that is not finite is no image, so it has no attribute.

    Args:
        model: the model that draws the samples.
        classifier: the classifier.
        labels: labels of real images for a conditional model, whose frequencies the samples follow, else None.
        count: number of samples.
        decode: compiled `decode_with_overshoot` of the model; None decodes eagerly.
        bar: progress bar that counts the samples, or None.

    Returns:
        The shares, float `[a]`, and the number of samples that are not finite.
    """
    if labels is not None:
        labels = np.random.default_rng(SAMPLE_SEED).choice(labels, count)
    drawn = draw_images(model, count, 1.0, labels, seed=SAMPLE_SEED, decode=decode, bar=bar)
    detected = classifier.predict(drawn.images) & drawn.finite[:, None]
    return detected.mean(0), drawn.non_finite
