"""Test samples, the training images nearest to them, and the classifier that measures their accuracy."""

import numpy as np
import pytest
from PIL import Image

from glow_tf import Glow, ModelConfig, batched
from glow_tf.config import DataConfig
from glow_tf.evaluation import accuracy, commands
from glow_tf.evaluation.accuracy import SampleClassifier
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.samples import nearest_images
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from helpers.commands import numbers


def test_samples_command_draws_classes_and_nearest_neighbors(tiny_conditional_run, tmp_path, capsys):
    target = TargetOptions(str(tiny_conditional_run), out=str(tmp_path))
    commands.samples(target, columns=3, temperatures=(0.0, 0.7), seed=5)
    out = capsys.readouterr().out
    assert "labels enter through the top prior alone" in out
    suffix = "_columns_3_temperatures_0_0.7_seed_5"
    assert {p.name for p in (tmp_path / f"samples{suffix}").iterdir()} == {"temperature_0.png", "temperature_0.7.png"}
    for name in (f"samples{suffix}.png", f"nearest{suffix}.png"):
        assert name in out and (tmp_path / name).is_file()
    by_class = Image.open(tmp_path / f"samples{suffix}" / "temperature_0.7.png")
    assert by_class.height > 10 * 64 > by_class.width, "ten rows, three columns"
    assert set(numbers(tmp_path, f"samples{suffix}.json")["temperatures"]) == {"0", "0.7"}


def test_nearest_neighbor_search_finds_a_near_copy(tiny_run):
    images, _, _ = open_context(tiny_run).arrays("train", 50)
    neighbors, distances = nearest_images(np.minimum(images[:4], 252) + np.uint8(3), images, 2)
    np.testing.assert_array_equal(neighbors[:, 0], images[:4])
    np.testing.assert_allclose(distances[:, 0], 3, rtol=1e-5)


def test_accuracy_command_reports_classifier_accuracy(tiny_conditional_run, tmp_path, capsys):
    commands.accuracy(TargetOptions(str(tiny_conditional_run), out=str(tmp_path)), count=40)
    out = capsys.readouterr().out
    assert "L=2, weight_y=0.1, unknown steps" in out and "through the top prior alone" in out
    values = numbers(tmp_path, "accuracy_count_40.json")
    assert values["real"] > 0.95 and 0 <= values["samples"] <= 1 and len(values["by_class"]) == 10


def test_classifier_sees_all_classes_of_images_that_are_sorted_by_class(tmp_path, monkeypatch):
    labels = np.repeat([0, 1], 20)
    images = np.where(labels, 200, 30).astype(np.uint8)[:, None, None, None] * np.ones([8, 8, 1], np.uint8)
    splits = ("train", "validation", "test")
    arrays = dict.fromkeys(splits, images) | {f"{split}_labels": labels for split in splits}
    np.savez(tmp_path / "images.npz", **arrays)
    model = Glow(ModelConfig((8, 8, 1), levels=1, depth=1, width=4, classes=2))
    data = DataConfig(f"npz:{tmp_path / 'images.npz'}", labels=True)
    context = EvaluationContext(tmp_path, data, None, tmp_path, file_model=model)
    monkeypatch.setattr(accuracy, "MAX_TRAINING_IMAGES", 10)
    monkeypatch.setattr(accuracy, "MAX_TEST_IMAGES", 10)
    assert accuracy.measure_accuracy(context, count=2).real == 1.0


@pytest.mark.parametrize("exclusive", [True, False])
def test_evaluation_classifier_learns_tags_and_classes(exclusive):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (200, 64, 64, 1), np.uint8)
    bright = rng.random(200) < 0.5
    images[bright, :32] += 100
    tags = np.stack([bright, ~bright if exclusive else rng.random(200) < 0.5], 1)
    classifier = SampleClassifier(images[:100], tags[:100])
    assert classifier.exclusive == exclusive
    assert (classifier.predict(images[100:])[:, 0] == bright[100:]).all()


def test_evaluation_in_chunks_matches_one_batch(tiny_conditional_run, monkeypatch):
    context = open_context(tiny_conditional_run)
    model, (images, labels, _) = context.model, context.arrays("test", 5)
    whole = model.sample(5, 0.7, labels, seed=3).numpy()
    monkeypatch.setattr(batched, "CHUNK_PIXELS", 2 * 64)
    assert batched.chunk_size(model) == 2
    np.testing.assert_array_equal(batched.sample(model, 5, 0.7, labels, seed=3), whole)
    np.testing.assert_array_equal(batched.decode(model, batched.encode(model, images, labels), labels), images)
