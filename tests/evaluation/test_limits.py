"""Test that what is measured of a part of a split is spread over it: splits may be sorted by class."""

import numpy as np
import pytest

from glow_tf.demo.held_out_images import MAX_IMAGES, read_test_images
from glow_tf.evaluation import commands, likelihood
from glow_tf.evaluation.attribute_accuracy import AttributeEdits
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.drawn_images import DrawnImages
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.evaluation.target_options import TargetOptions

GRAY = np.arange(100, dtype=np.uint8)
"""The gray level of each test image, ascending."""


@pytest.fixture(scope="module")
def sorted_context(tiny_run, tmp_path_factory):
    """Open a run with images of one gray level each, in ascending order."""
    path = tmp_path_factory.mktemp("sorted") / "images.npz"
    images = GRAY[:, None, None, None] * np.ones([8, 8, 1], np.uint8)
    np.savez(path, train=images, validation=images[:10], test=images)
    return open_context(TargetOptions(str(tiny_run), f"npz:{path}"))


def test_batches_and_arrays_of_a_limit_reach_the_last_image(sorted_context):
    expected = [0, 33, 66, 99]
    for batch_size in (3, 4):
        batches = list(sorted_context.batches("test", batch_size=batch_size, limit=4))
        weight = np.concatenate([batch["weight"] for batch in batches])
        gray = np.concatenate([batch["image"][:, 0, 0, 0] for batch in batches])
        assert gray[weight > 0].tolist() == expected
    assert sorted_context.spread_arrays("test", 4)[0][:, 0, 0, 0].tolist() == expected
    assert len(sorted_context.arrays("test")[0]) == len(GRAY)


@pytest.mark.slow
def test_bits_of_a_limit_are_those_of_images_of_all_classes(sorted_context):
    model = sorted_context.model
    limited = likelihood.measure(sorted_context, draws=1, limit=2).values[0]
    images, _, _ = sorted_context.spread_arrays("test", 2)
    for value, image in zip(limited, images, strict=True):
        assert value == pytest.approx(float(model.bits_per_dim(image[None], seed=0)[0]), abs=0.3)
    assert abs(limited[0] - limited[1]) > 0.5, "the images are too much alike"


def test_page_shows_images_of_the_whole_split(sorted_context):
    gray = read_test_images(sorted_context).images[:, 0, 0, 0]
    assert len(gray) == MAX_IMAGES and gray[0] == 0 and gray[-1] == 99


def test_edited_images_are_of_the_whole_split(sorted_context):
    class NoClassifier:
        def predict(self, images):
            return np.zeros([len(images), 1], bool)

    images = LabeledImages(sorted_context.arrays("test")[0], None, (GRAY >= 50)[:, None], ("bright",))
    independent, names = np.zeros([1, 1], bool), ("bright",)
    edits = AttributeEdits(sorted_context.model, NoClassifier(), images, independent, names, count=3)
    decoded = edits._decode(edits._z, None)[0][:, 0, 0, 0]
    assert decoded.tolist() == [level // 16 * 16 for level in (0, 24, 49, 50, 74, 99)]


def test_copy_of_a_training_image_is_at_no_distance_from_it(sorted_context, tmp_path, monkeypatch):
    copies = sorted_context.arrays("train")[0][:6] // 16 * 16  # as a model of 4 bits draws them
    drawn = DrawnImages(copies, np.ones(6, bool))
    monkeypatch.setattr("glow_tf.evaluation.samples.draw_images", lambda *_, **__: drawn)
    target = TargetOptions(str(sorted_context.path), sorted_context.data.source, out=str(tmp_path))
    commands.samples(target, columns=3, rows=2, temperatures=(0.7,))
    written = (tmp_path / "samples_columns_3_rows_2_temperatures_0.7.json").read_text()
    assert '"distance_to_training": 0.0' in written and '"test_distance_to_training": 0.0' in written
