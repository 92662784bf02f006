"""Measure attributes of a model: edits along directions, and samples, as a classifier of real images detects them."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from glow_tf.attributes import Attributes
from glow_tf.batched import ProgressBar
from glow_tf.data.splits import spread_positions
from glow_tf.edits import DecodeWithOvershoot
from glow_tf.evaluation.accuracy import MAX_TRAINING_IMAGES, SampleClassifier
from glow_tf.evaluation.attribute_accuracy import AttributeEdits, EditEffect
from glow_tf.evaluation.attribute_detection import independent_attributes, lower_accuracies, sample_shares
from glow_tf.evaluation.attribute_table import AttributeTable, MethodEffects
from glow_tf.evaluation.drawn_images import as_drawn
from glow_tf.evaluation.edit_strength import STRENGTHS, EditSummary, choose_strength
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.model import Glow


@dataclasses.dataclass(frozen=True)
class AttributeImages:
    """Real images with attributes, for the three uses that must not share any.

    Args:
        train: images to fit the classifier to; the directions may be computed from them too.
        validation: images to choose the strength of edits on; None: the strength is 1.
        test: images to measure on.
    """

    train: LabeledImages
    validation: LabeledImages | None
    test: LabeledImages


def measure_attributes(
    model: Glow,
    directions: Mapping[str, Attributes],
    images: AttributeImages,
    names: Sequence[str],
    *,
    count: int = 50,
    samples: int = 1000,
    decode: DecodeWithOvershoot | None = None,
    bar: ProgressBar | None = None,
) -> AttributeTable | None:
    """Measure what the directions of each method do at one strength for all attributes, and samples at temperature 1.

    The strength of each method is chosen on validation images (see `choose_strength`), and what it does is measured
    on test images.

    Args:
        model: the model that moves images and draws samples.
        directions: the directions of each method.
        images: real images, of which the classifier sees what the model sees: those of its bits.
        names: the attributes to measure.
        count: images with an attribute, and as many without it, at most.
        samples: number of samples; 0 measures none.
        decode: compiled `decode_with_overshoot` of the model; None decodes eagerly.
        bar: progress bar that counts images, or None.

    Returns:
        The numbers; None if all of the attributes are constant in the test images.
    """
    train, test = images.train, images.test
    rows = spread_positions(len(train.images), MAX_TRAINING_IMAGES)
    classifier = SampleClassifier(as_drawn(train.images[rows], model), train.tags[rows])
    accuracies = lower_accuracies(classifier, dataclasses.replace(test, images=as_drawn(test.images, model)))
    names = [name for name in names if name in accuracies]
    if not names:
        return None
    independent = independent_attributes(train.tags)

    def edits_of(images: LabeledImages) -> AttributeEdits:
        return AttributeEdits(model, classifier, images, independent, names, count=count, decode=decode, bar=bar)

    validation = None if images.validation is None else edits_of(images.validation)
    held_out, methods = edits_of(test), {}
    for method, vectors in directions.items():
        strength, tried = (1.0, {}) if validation is None else _choose(validation, vectors, names)
        added, removed = (_effects(held_out, vectors, names, signed) for signed in (strength, -strength))
        methods[method] = MethodEffects(strength, added, removed, tried)
    columns = [train.names.index(name) for name in names]
    shares, non_finite = [], 0
    if samples:
        all_shares, non_finite = sample_shares(model, classifier, train.labels, samples, decode=decode, bar=bar)
        shares = all_shares[columns]
    return AttributeTable(
        {name: accuracies[name] for name in names},
        methods,
        dict(zip(names, map(float, train.tags[:, columns].mean(0)), strict=True)),
        dict(zip(names, map(float, shares), strict=False)),
        samples,
        non_finite,
    )


def number_of_images(names: int, methods: int, count: int, samples: int) -> int:
    """Return how many images `measure_attributes` decodes at most."""
    return names * count * (4 + methods * (len(STRENGTHS) + 2)) + samples


def _choose(
    validation: AttributeEdits, directions: Attributes, names: Sequence[str]
) -> tuple[float, dict[float, EditSummary]]:
    """Return the strength for all attributes, and what each strength did; 1 if there is nothing to edit."""
    measure = functools.cache(functools.partial(_effects, validation, directions, names))
    return choose_strength(measure) if measure(STRENGTHS[0]) else (1.0, {})


def _effects(
    edits: AttributeEdits, directions: Attributes, names: Sequence[str], strength: float
) -> dict[str, EditEffect]:
    effects = {name: edits.measure(directions, name, strength) for name in names}
    return {name: effect for name, effect in effects.items() if effect is not None}
