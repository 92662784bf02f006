"""Test the measurement of attributes on toys whose latents are the pixels, so that every share is known."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.attributes import Attributes
from glow_tf.evaluation.attribute_accuracy import AttributeEdits, EditEffect
from glow_tf.evaluation.attribute_detection import independent_attributes, lower_accuracies
from glow_tf.evaluation.attribute_measurement import AttributeImages, AttributeMeasurement
from glow_tf.evaluation.attribute_report import start_measurement
from glow_tf.evaluation.attribute_strips import STRENGTHS, strip_images
from glow_tf.evaluation.attribute_table import AttributeTable, MethodEffects
from glow_tf.evaluation.calibration import calibrate, choose_factor
from glow_tf.evaluation.labeled_images import LabeledImages

NAMES = ("bright left", "bright right", "dark left")


class Pixels:
    """Stand for a flow whose latents are the pixels, in units of 1."""

    image_shape, latent_shapes = (2, 2, 1), [(2, 2, 1)]
    config = types.SimpleNamespace(bits=8)

    def encode(self, images, labels):
        return [tf.constant(images.astype(np.float32))]

    def decode(self, eps, labels):
        return tf.cast(tf.clip_by_value(eps[0], 0, 255), tf.uint8)

    def sample_latents(self, n, temperature, seed):
        assert temperature == 1
        return [tf.constant(images_of([(200, 60)] * (n // 4) + [(60, 60)] * (n - n // 4)).astype(np.float32))]


class Threshold:
    """Stand for a classifier that is always right."""

    def predict(self, images):
        return tags_of(images)


def images_of(columns):
    """Return images `[n, 2, 2, 1]` with the values of their left and right columns."""
    return np.broadcast_to(np.array(columns, np.uint8)[:, None, :, None], (len(columns), 2, 2, 1))


def tags_of(images):
    left, right = images[:, 0, 0, 0] > 127, images[:, 0, 1, 0] > 127
    return np.stack([left, right, ~left], axis=1)


def labeled(columns):
    images = images_of(columns)
    return LabeledImages(images, None, tags_of(images), NAMES)


def decode(eps, labels):
    """Decode pixels; one above 300 is out of range."""
    x = np.asarray(eps[0])
    return np.clip(x, 0, 255).astype(np.uint8), np.where((x > 300).any((1, 2, 3)), np.inf, 0)


def directions(right):
    """Return directions whose first brightens the left column by 100 and the right one by `right`."""
    return Attributes(NAMES, np.array([[100, right, 100, right], [0, 100, 0, 100], [-100, 0, -100, 0]], np.float32))


IMAGES = [(60, 60), (60, 100), (60, 190), (60, 200), (190, 60), (190, 190)]


def test_edits_have_the_effects_that_the_pixels_say():
    images = labeled(IMAGES)
    independent = independent_attributes(images.tags)
    assert independent.tolist() == [[False, True, False], [True, False, True], [False, True, False]]
    assert not independent_attributes(np.array([[1, 1], [0, 1], [0, 0]])).any(), "the first implies the second"
    edits = AttributeEdits(Pixels(), Threshold(), images, independent, NAMES, count=4, decode=decode)
    # Strength 1: the right column of the second image passes the threshold; the left column of all four does.
    assert edits.measure(directions(50), "bright left", 1.0) == EditEffect(4, 0.0, 1.0, 0.25, 0)
    assert edits.measure(directions(50), "bright left", 0.5) == EditEffect(4, 0.0, 0.0, 0.0, 0)
    assert edits.measure(directions(150), "bright left", 1.0).outside == 2  # 190 + 150 and 200 + 150
    # Of the two images with a bright left column, one with a bright right column loses it as well.
    assert edits.measure(directions(90), "bright left", -1.0) == EditEffect(2, 1.0, 0.0, 0.5, 0)
    both = edits.measure(directions(50), "bright right", 1.0)
    assert both == EditEffect(3, 0.0, 1.0, 0.0, 0), "the two left attributes did not change"
    alone = AttributeEdits(Pixels(), Threshold(), images, np.zeros([3, 3], bool), NAMES[:1], count=3, decode=decode)
    assert alone.measure(directions(50), "bright left", 1.0) == EditEffect(3, 0.0, 1.0, None, 0)
    bright = AttributeEdits(Pixels(), Threshold(), labeled(IMAGES[4:]), independent, NAMES[:1], decode=decode)
    assert bright.measure(directions(50), "bright left", 1.0) is None, "there is no image without it"


def test_chosen_factor_is_the_least_that_suffices_else_that_of_the_best_balance():
    measured = {
        0.5: EditEffect(50, 0.0, 0.5, 0.02, 0),
        1.0: EditEffect(50, 0.0, 0.85, 0.1, 0),
        1.5: EditEffect(50, 0.0, 0.89, 0.2, 0),
        2.0: EditEffect(50, 0.0, 0.9, None, 0),
        2.5: EditEffect(50, 0.0, 1.0, 0.0, 0),
    }

    def choose(*factors):
        return choose_factor(measured.__getitem__, factors)

    assert choose(0.5, 1.0, 1.5, 2.0, 2.5) == 2.0
    assert choose(0.5, 1.0, 1.5) == 1.0, "0.75 is more than 0.48 and 0.69"
    assert choose(1.5) == 1.5
    measured[2.0] = dataclasses.replace(measured[2.0], outside=1)
    assert choose(1.0, 2.0, 2.5) == 2.5 and choose(1.0, 2.0) == 2.0, "0.88 is more than 0.75"
    measured[2.0] = dataclasses.replace(measured[2.0], outside=9)
    assert choose(1.0, 2.0) == 1.0, "0.72 is less"


def test_calibration_changes_the_lengths_of_the_named_directions_alone():
    vectors = Attributes(("a", "b", "c"), np.eye(3, dtype=np.float32))

    def measure(directions, name, strength):
        assert directions is vectors and strength > 0
        return EditEffect(9, 0.0, float(strength >= 1.75), 0.0, 0) if name == "c" else None

    calibrated = calibrate(vectors, ("c", "b"), measure)
    np.testing.assert_array_equal(calibrated.directions, np.diag([1, 1, 1.75]), "of b there are no images to edit")


def test_accuracies_tell_a_rare_attribute_that_is_never_detected():
    tags = np.zeros([10, 3], bool)
    tags[0, 0], tags[:5, 1] = True, True
    predicted = np.zeros([10, 3], bool)
    predicted[:6, 1] = True
    classifier = types.SimpleNamespace(predict=lambda images: predicted)
    images = LabeledImages(np.zeros([10, 2, 2, 1], np.uint8), None, tags, NAMES)
    assert lower_accuracies(classifier, images) == pytest.approx({"bright left": 0.5, "bright right": 0.9})


def test_directions_are_calibrated_on_validation_images_and_measured_on_test_images(monkeypatch):
    measure, measured = AttributeEdits.measure, []

    def recorded(edits, directions, name, strength):
        measured.append((edits, name, strength))
        return measure(edits, directions, name, strength)

    monkeypatch.setattr(AttributeEdits, "measure", recorded)
    rng = np.random.default_rng(0)
    train = labeled(rng.choice([60, 190], [60, 2]) + rng.integers(-9, 9, [60, 2]))
    images = AttributeImages(train, labeled(IMAGES), labeled([(10, 60), (60, 60), (190, 60), (190, 190)]))
    names = ("bright right", "bright left")
    measurement = AttributeMeasurement(Pixels(), images, names, decode=decode)
    assert measurement.accuracies == {"bright left": 1.0, "bright right": 1.0}
    vectors = measurement.calibrate({"means": directions(0)})["means"]
    # 125 is half way between the groups: 60 needs 0.75 times the 100.
    assert vectors.direction("bright left").tolist() == [75, 0, 75, 0]
    assert vectors.direction("dark left").tolist() == [-100, 0, -100, 0], "it is not among the names"
    validation_edits = {edits for edits, _, _ in measured}
    table = measurement.measure({"means": vectors}, samples=40)
    assert not validation_edits & {edits for edits, _, _ in measured[-4:]}
    assert [strength for _, _, strength in measured[-4:]] == [1, 1, -1, -1]
    effects = table.methods["means"]
    assert [effects.added[name].after for name in names] == [1.0, 0.5], "10 becomes 85"
    assert effects.added["bright left"].count == 2 and effects.removed["bright right"].count == 1
    assert table.sample_shares == {"bright left": 0.25, "bright right": 0.0}
    assert table.remarks()[-1].startswith("shares in 40 samples") and "bright right" in table.remarks()[-1]
    unknown = dataclasses.replace(images, validation=None)
    measurement = AttributeMeasurement(Pixels(), unknown, names, decode=decode)
    assert measurement.calibrate({"means": vectors}) == {"means": vectors}
    assert measurement.measure({"means": vectors}, samples=0).sample_shares == {}
    constant = dataclasses.replace(images, test=labeled(IMAGES[4:5]))
    measurement = AttributeMeasurement(Pixels(), constant, (*NAMES, "bun"), decode=decode)
    assert measurement.names == () and measurement.left_out == (*NAMES, "bun")
    assert measurement.calibrated_names == NAMES, "the test images say nothing about the lengths"
    again = measurement.calibrate({"means": directions(0)})["means"]
    assert again.direction("bright left").tolist() == [75, 0, 75, 0]
    bright = dataclasses.replace(images, validation=labeled([(190, 60), (190, 190)]))
    measurement = AttributeMeasurement(Pixels(), bright, NAMES, decode=decode)
    assert measurement.calibrated_names == NAMES[1:], "all have a bright left column"


def test_decoding_is_compiled_where_all_that_calibration_and_measurement_decode_makes_it_pay():
    train, context = labeled(IMAGES), types.SimpleNamespace(model=Pixels())
    images, names = AttributeImages(train, train, train), NAMES[:2]
    without_validation = dataclasses.replace(images, validation=None)
    # Calibration decodes 50 images of each of the two attributes twice, and 16 times for each method.
    assert start_measurement(context, images, names, 1, (0, 5000)).decode is None, "1,800; no images, no samples"
    assert start_measurement(context, images, names, 1, (50, 0)).decode is not None, "1,800 and 400"
    assert start_measurement(context, images, names, 2, (0, 0)).decode is not None, "3,400"
    assert start_measurement(context, without_validation, names, 1, (50, 1500)).decode is None, "1,900"


def test_table_names_what_fails_and_leaves_empty_columns_out():
    added = {"smiling": EditEffect(50, 0.0, 0.9, None, 0), "bun": EditEffect(50, 0.0, 0.5, None, 3)}
    methods = {"means": MethodEffects(added, {"smiling": EditEffect(40, 1.0, 0.1, None, 0)})}
    shares = ({"smiling": 0.4, "bun": 0.25}, {"smiling": 0.31, "bun": 0.05})
    table = AttributeTable({"smiling": 0.99, "bun": 0.96}, methods, *shares, samples=1000)
    assert table.to_markdown().splitlines() == [
        "| attribute | classifier | means +1 | means -1 | real | samples |",
        "|---|---|---|---|---|---|",
        "| smiling | 99% | 90% | 10% | 40% | 31% |",
        "| bun | 96% | 50% |  | 25% | 5% |",
        "| mean | 98% | 70% | 10% | 32% | 18% |",
    ]
    assert table.remarks() == [
        "means: the attribute is detected in 70% of the images without it, moved by +1; in less than 60%: bun; "
        "3 of 140 images out of range",
        "the classifier is at least 97% right on real images, except for bun",
        "shares in 1,000 samples are within 10 points of the real ones, except for bun",
    ]


def test_strips_move_images_without_the_attribute(monkeypatch):
    monkeypatch.setattr("glow_tf.edits.decode_with_overshoot", lambda model, eps, labels: decode(eps, labels))
    strips, reduced = strip_images(Pixels(), directions(0), labeled([(190, 60), (60, 61), (60, 62)]), NAMES[:2])
    assert strips.shape == (2, len(STRENGTHS), 2, 2, 1) and reduced.shape == (2, len(STRENGTHS))
    assert strips[0, :, 0, 0, 0].tolist() == [0, 0, 26, 60, 93, 126, 160], "the first image has it"
    assert strips[1, 3].ravel().tolist() == [60, 61, 60, 61], "each row shows another image"
