"""Measure attributes of a model: edits along directions, and samples, as a classifier of real images detects them."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from glow_tf.attributes import Attributes
from glow_tf.batched import ProgressBar
from glow_tf.data.splits import spread_positions
from glow_tf.edits import DecodeWithOvershoot
from glow_tf.evaluation import calibration
from glow_tf.evaluation.accuracy import MAX_TRAINING_IMAGES, SampleClassifier
from glow_tf.evaluation.attribute_accuracy import AttributeEdits, EditEffect
from glow_tf.evaluation.attribute_detection import independent_attributes, lower_accuracies, sample_shares
from glow_tf.evaluation.attribute_table import AttributeTable, MethodEffects
from glow_tf.evaluation.drawn_images import as_drawn
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.model import Glow

CALIBRATION_IMAGES = 50
"""Validation images without an attribute, at most, on which the length of its direction is chosen."""


@dataclasses.dataclass(frozen=True, eq=False)
class AttributeImages:
    """Real images with attributes, for the three uses that must not share any.

    Args:
        train: images to fit the classifier to; the directions may be computed from them too.
        validation: images to calibrate the directions on; None where there are none.
        test: images to measure on.
    """

    train: LabeledImages
    validation: LabeledImages | None
    test: LabeledImages


class AttributeMeasurement:
    """Calibrate and measure directions with one classifier, which is fitted to real training images.

    Args:
        model: the model that moves images and draws samples.
        images: real images, of which the classifier sees what the model sees: those of its bits.
        names: the attributes to calibrate and to measure. The attribute `calibrated_names` has those that some
            validation images lack, `names` those that are not constant in the test images, and `left_out` the rest.
        decode: compiled `decode_with_overshoot` of the model; None decodes eagerly.
    """

    def __init__(
        self, model: Glow, images: AttributeImages, names: Sequence[str], *, decode: DecodeWithOvershoot | None = None
    ) -> None:
        train, test = images.train, images.test
        rows = spread_positions(len(train.images), MAX_TRAINING_IMAGES)
        self.model, self.images, self.decode = model, images, decode
        self.classifier = SampleClassifier(as_drawn(train.images[rows], model), train.tags[rows])
        self.names = tuple(name for name in names if name in test.names and test.differ_in(name))
        self.left_out = tuple(name for name in names if name not in self.names)
        self.calibrated_names = _lacked(images.validation, names)
        self._independent = independent_attributes(train.tags)

    @functools.cached_property
    def accuracies(self) -> dict[str, float]:
        """Return the accuracies of the classifier on test images by the measured attributes (`lower_accuracies`)."""
        test = self.images.test
        accuracies = lower_accuracies(
            self.classifier, dataclasses.replace(test, images=as_drawn(test.images, self.model))
        )
        return {name: accuracies[name] for name in self.names}

    def calibrate(self, directions: Mapping[str, Attributes], bar: ProgressBar | None = None) -> dict[str, Attributes]:
        """Calibrate the directions of each method on validation images (see `glow_tf.evaluation.calibration`).

        Args:
            directions: the directions of each method.
            bar: progress bar that counts decoded images, or None.

        Returns:
            The directions of each method; those of other names than `calibrated_names` stay as they are.
        """
        names = self.calibrated_names
        if self.images.validation is None or not names:
            return dict(directions)
        edits = self._edits(self.images.validation, names, CALIBRATION_IMAGES, bar)
        return {method: calibration.calibrate(vectors, names, edits.measure) for method, vectors in directions.items()}

    def images_to_calibrate(self, methods: int) -> int:
        """Return how many images `calibrate` decodes at most."""
        return len(self.calibrated_names) * CALIBRATION_IMAGES * (2 + methods * len(calibration.FACTORS))

    def images_to_measure(self, methods: int, count: int, samples: int) -> int:
        """Return how many images `measure` decodes at most."""
        return len(self.names) * count * 2 * (1 + methods) + samples

    def measure(
        self,
        directions: Mapping[str, Attributes],
        *,
        count: int = 50,
        samples: int = 1000,
        bar: ProgressBar | None = None,
    ) -> AttributeTable:
        """Measure what the directions of each method do to test images at strength 1, and samples at temperature 1.

        Args:
            directions: the directions of each method.
            count: images with an attribute, and as many without it, at most.
            samples: number of samples; 0 measures none.
            bar: progress bar that counts images, or None.

        Returns:
            The numbers.
        """
        edits, methods = self._edits(self.images.test, self.names, count, bar), {}
        for method, vectors in directions.items():
            methods[method] = MethodEffects(*(_effects(edits, vectors, self.names, strength) for strength in (1, -1)))
        train, shares, non_finite = self.images.train, [], 0
        columns = [train.names.index(name) for name in self.names]
        if samples:
            all_shares, non_finite = sample_shares(
                self.model, self.classifier, train.labels, samples, decode=self.decode, bar=bar
            )
            shares = all_shares[columns]
        return AttributeTable(
            self.accuracies,
            methods,
            dict(zip(self.names, map(float, train.tags[:, columns].mean(0)), strict=True)),
            dict(zip(self.names, map(float, shares), strict=False)),
            samples,
            non_finite,
        )

    def _edits(
        self, images: LabeledImages, names: Sequence[str], count: int, bar: ProgressBar | None
    ) -> AttributeEdits:
        return AttributeEdits(
            self.model,
            self.classifier,
            images,
            self._independent,
            names,
            count=count,
            decode=self.decode,
            bar=bar,
        )


def _lacked(images: LabeledImages | None, names: Sequence[str]) -> tuple[str, ...]:
    """Return those of the names whose attribute some images lack."""
    if images is None:
        return ()
    return tuple(name for name in names if name in images.names and not images.has(name).all())


def _effects(
    edits: AttributeEdits, directions: Attributes, names: Sequence[str], strength: float
) -> dict[str, EditEffect]:
    effects = {name: edits.measure(directions, name, strength) for name in names}
    return {name: effect for name, effect in effects.items() if effect is not None}
