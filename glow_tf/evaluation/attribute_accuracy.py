"""Measure attribute edits: how often a classifier of real images detects an attribute before and after the edit."""

from collections.abc import Mapping

import numpy as np

from glow_tf import batched
from glow_tf.attributes import Attributes
from glow_tf.batched import ProgressBar
from glow_tf.evaluation.accuracy import SampleClassifier
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.model import Glow


def balanced_accuracies(classifier: SampleClassifier, held_out: LabeledImages) -> dict[str, float]:
    """Compute a classifier's balanced accuracy on real images, for each attribute.

    Args:
        classifier: the classifier.
        held_out: images that it was not fitted to.

    Returns:
        Numbers in [0, 1] by name, without the attributes that are constant.
    """
    predicted = classifier.predict(held_out.images)
    return {
        name: _balanced_accuracy(predicted[:, i], held_out.tags[:, i])
        for i, name in enumerate(held_out.names)
        if 0 < held_out.tags[:, i].sum() < len(held_out.tags)
    }


def detection_rates(
    model: Glow,
    classifier: SampleClassifier,
    held_out: LabeledImages,
    methods: Mapping[str, Attributes],
    name: str,
    *,
    count: int = 50,
    bar: ProgressBar | None = None,
) -> dict[str, float]:
    """Compute the share of images in which a classifier detects an attribute, before and after edits.

    Args:
        model: the model that moves the images.
        classifier: the classifier.
        held_out: images used neither to fit the classifier nor to compute directions.
        methods: the directions of each method.
        name: name of the attribute.
        count: images with the attribute, and as many without it, at most.
        bar: progress bar that counts images, or None.

    Returns:
        Numbers in [0, 1] by name: `without` and `with`, reconstructions of the images; and for each method
        `without +1 <method>` and `with -1 <method>`, the images moved along its direction.
    """
    rates: dict[str, float] = {}
    column = held_out.names.index(name)
    for group, present, strength in (("without", False, 1.0), ("with", True, -1.0)):
        images, labels = held_out.select(name, present, count)
        z = batched.encode(model, images, labels)
        edits = {group: z}
        edits.update({f"{group} {strength:+g} {m}": d.apply(z, {name: strength}) for m, d in methods.items()})
        labels = None if labels is None else np.tile(labels, len(edits))
        edited = batched.decode(model, np.concatenate(list(edits.values())), labels, bar=bar)
        detected = classifier.predict(edited)[:, column].reshape(len(edits), -1)
        rates.update(zip(edits, map(float, detected.mean(1)), strict=True))
    return rates


def _balanced_accuracy(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Compute the mean of the accuracies on positives and on negatives."""
    return float(np.mean([(predicted[actual == value] == value).mean() for value in (True, False)]))
