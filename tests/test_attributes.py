"""Test interpolation and attribute vectors."""

import dataclasses
import functools
import importlib
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from glow_tf import attributes, batched
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation import calibration, commands
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.labeled_images import read_labeled_images
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.interpolation import interpolate, interpolate_latents
from glow_tf.latents import flatten_latents

RNG = np.random.default_rng(0)
TRUE = np.zeros(20)
TRUE[3] = 2.0


def planted(n=400):
    """Draw latents in which one attribute lies along one axis, and one along none."""
    tags = RNG.random((n, 2)) < 0.4
    z = RNG.normal(size=(n, 20)) + tags[:, :1] * TRUE
    return z.astype(np.float32), tags


@pytest.mark.parametrize("method", attributes.METHODS)
def test_attribute_methods_find_a_planted_direction(method):
    z, tags = planted()
    vectors = attributes.METHODS[method](z, tags, ("planted", "nothing"))
    direction = vectors.direction("planted")
    assert direction @ TRUE / np.linalg.norm(direction) / 2 > 0.85
    assert np.linalg.norm(direction) == pytest.approx(1.6 * 2, rel=0.25)
    assert np.linalg.norm(vectors.direction("nothing")) < 1


def test_attribute_strengths_add_up():
    vectors = attributes.Attributes(("a", "b"), np.stack([TRUE, np.roll(TRUE, 1)]).astype(np.float32))
    z = RNG.normal(size=(3, 20)).astype(np.float32)
    moved = vectors.apply(z, {"a": 0.5, "b": -1.0})
    np.testing.assert_allclose(vectors.positions(moved) - vectors.positions(z), [[0.5, -1.0]] * 3, atol=1e-6)
    np.testing.assert_array_equal(vectors.apply(z, {"a": 0.0}), z)
    with pytest.raises(DataError, match="expected one of a, b, got 'c'"):
        vectors.apply(z, {"c": 1})


def test_attribute_files_round_trip(tmp_path):
    vectors = attributes.Attributes(("a", "b"), RNG.normal(size=(2, 20)).astype(np.float32))
    vectors.save(tmp_path / "a.npz")
    again = attributes.load_attributes(tmp_path / "a.npz", 20)
    assert again.names == ("a", "b")
    np.testing.assert_array_equal(again.directions, vectors.directions)
    np.save(tmp_path / "z_manipulate.npy", RNG.normal(size=(40, 20)).astype(np.float32))
    original = attributes.load_attributes(tmp_path / "z_manipulate.npy", 20)
    assert original.names[31] == "Smiling" and original.directions.shape == (40, 20)
    with pytest.raises(DataError, match=r"expected float directions \[n, 21\]"):
        attributes.load_attributes(tmp_path / "a.npz", 21)
    np.save(tmp_path / "p.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read as arrays"):
        attributes.load_attributes(tmp_path / "p.npy", 20)


def test_attribute_shared_by_all_images_is_rejected():
    with pytest.raises(DataError, match=r"'a': the images \(4\) are all alike"):
        attributes.difference_of_means(np.zeros((4, 3)), np.ones((4, 1)), ("a",))


def test_linear_interpolation_of_latents():
    a, b = [RNG.normal(size=(2, 3, 3, 1))], [RNG.normal(size=(2, 3, 3, 1))]
    mixed = interpolate_latents(a, b, [0.0, 0.3, 1.0])[0].numpy().reshape(2, 3, 3, 3, 1)
    np.testing.assert_allclose(mixed[:, 0], a[0])
    np.testing.assert_allclose(mixed[:, 1], 0.7 * a[0] + 0.3 * b[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(mixed[:, 2], b[0])


@pytest.mark.slow
def test_interpolation_of_latents_is_the_same_in_a_graph():
    a, b = RNG.normal(size=(2, 2, 2, 3, 1)).astype(np.float32)
    interpolate_in_graph = tf.function(
        lambda a, b, weights: interpolate_latents([a], [b], weights)[0],
        input_signature=[tf.TensorSpec([None, 2, 3, 1])] * 2 + [tf.TensorSpec([None])],
    )
    weights = np.linspace(0, 1, 4, dtype=np.float32)
    mixed = interpolate_in_graph(a, b, weights)
    assert mixed.shape == (8, 2, 3, 1)
    np.testing.assert_allclose(mixed, interpolate_latents([a], [b], weights)[0], rtol=1e-6)
    with_a_tensor = tf.function(lambda weight: interpolate_latents([a], [b], [0.0, weight, 1.0])[0])
    expected = interpolate_latents([a], [b], [0.0, 0.5, 1.0])[0]
    np.testing.assert_allclose(with_a_tensor(tf.constant(0.5)), expected, rtol=1e-6)


@pytest.mark.parametrize("run", ["one_level_run", "tiny_conditional_run"])
def test_interpolation_ends_in_the_images(run, request):
    context = open_context(request.getfixturevalue(run))
    images, labels, _ = context.arrays("test", 4)
    labels = context.model_labels(labels[[0, 1]])
    strips = interpolate(context.model, images[:2], images[2:], 5, labels)
    assert strips.shape == (2, 5, 8, 8, 1)
    np.testing.assert_array_equal(strips[:, 0], images[:2])
    np.testing.assert_array_equal(strips[:, -1], images[2:])


def test_interpolate_command_writes_strips_and_animations(one_level_run, tmp_path, monkeypatch, capsys):
    written = tmp_path / "out"
    run = TargetOptions(str(one_level_run), out=str(written))
    commands.interpolate(run, pairs=2, steps=3, video="gif")
    name = "interpolation_pairs_2_steps_3"
    first = {file: (written / file).read_bytes() for file in (f"{name}.png", f"{name}.gif")}
    animation = Image.open(written / f"{name}.gif")
    assert animation.n_frames > 24 and min(animation.size) >= 256
    values = json.loads((written / f"{name}.json").read_text())
    assert [len(strip["bits_per_dim"]) for strip in values["strips"]] == [3, 3]
    assert [re.findall(r"\((.)\)", s["images"]) for s in values["strips"]] == [["0", "3"], ["6", "9"]], "other classes"
    monkeypatch.chdir(tmp_path)
    files = ["0.png", "1.png"]
    for file in files:
        Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8)).save(file)
    commands.interpolate(run, images=tuple(files), video="gif")
    assert "0.png to 1.png" in capsys.readouterr().out
    assert {file: (written / file).read_bytes() for file in first} == first, "own images have files of their own"
    for ending in ("png", "json"):
        assert (written / f"interpolation_own_0_png_1_png.{ending}").is_file()
    commands.attributes(run, names=("3",), images=files[:1], limit=100, calibrate=False, measured=0, video="gif")
    drawn = written / "attribute_3_no_calibrate_limit_100_own_0_png.png"
    assert drawn.is_file() and not list(written.glob("attribute_3*100.png"))
    numbers = written / "attributes_no_calibrate_limit_100_own_0_png_names_3_measured_0.json"
    positions = json.loads(numbers.read_text())["slider_positions"]
    assert [len(values) for values in positions.values()] == [1]
    with pytest.raises(ConfigError, match="two files or more"):
        commands.interpolate(run, images=files[:1])
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DataError, match="cannot be read as an image"):
        commands.interpolate(run, images=(files[0], str(tmp_path / "text.png")))


def test_interpolate_command_rejects_unknown_labels(tiny_conditional_run):
    with pytest.raises(ConfigError, match="--label: expected 0 to 9, got 10"):
        commands.interpolate(TargetOptions(str(tiny_conditional_run)), label=10)


def test_attributes_command_finds_saves_and_loads_directions(one_level_run, tmp_path, monkeypatch, capsys):
    written = tmp_path / "out"
    run = TargetOptions(str(one_level_run), out=str(written))
    choose = functools.partial(calibration.choose_factor, factors=(0.5, 1.5))
    monkeypatch.setattr(calibration, "choose_factor", choose)
    options = dict(names=("3", "7"), limit=200, measured=10, sampled=20, video="gif")
    commands.attributes(run, save=str(tmp_path / "a.npz"), **options)
    out = capsys.readouterr().out
    assert "slider positions" in out and "classifier of real images" in out
    assert (written / "attribute_7_limit_200.png").is_file()
    animation = Image.open(written / "attribute_7_limit_200.gif")
    assert animation.n_frames > 16 and min(animation.size) >= 256
    report = written / "attributes_limit_200_names_3_7_measured_10_sampled_20"
    values = json.loads(report.with_suffix(".json").read_text())
    assert list(values["edits"]) == ["means", "logistic"] and list(values["sample_shares"]) == ["3", "7"]
    means = values["edits"]["means"]
    assert means["added"]["3"]["before"] < 0.2 and means["removed"]["3"]["before"] > 0.8, "reconstructions are images"
    assert means["added"]["3"]["others_changed"] is None, "a digit excludes the others"
    table = report.with_suffix(".md").read_text().splitlines()
    assert table[0].split(" | ")[2] == "means +1" and len(table) == 5
    assert report.with_suffix(".png").is_file()
    saved = attributes.load_attributes(tmp_path / "a.npz", 64)
    assert saved.names == tuple("0123456789")
    labeled = read_labeled_images(open_context(run), "train", 200)
    z = batched.encode(open_context(run).model, labeled.images)
    original = attributes.difference_of_means(z, labeled.tags, labeled.names)
    factors = np.linalg.norm(saved.directions, axis=1) / np.linalg.norm(original.directions, axis=1)
    np.testing.assert_allclose(4 * factors, np.round(4 * factors), atol=1e-3)
    assert np.flatnonzero(abs(factors - 1) > 0.1).tolist() == [3, 7], "the others are not measured"
    assert values["direction_lengths"]["7"] == pytest.approx(np.linalg.norm(saved.direction("7")))
    monkeypatch.chdir(tmp_path)
    commands.attributes(run, names=("3",), load="a.npz", measured=5, sampled=0, video="gif")
    report = written / "attributes_a_npz_names_3_measured_5_sampled_0"
    assert (written / "attribute_3_a_npz.png").is_file() and report.with_suffix(".json").is_file()
    assert "| loaded +1 " in report.with_suffix(".md").read_text()


@pytest.mark.slow
def test_attributes_command_names_what_no_validation_images_calibrate(one_level_run, tmp_path, monkeypatch, capsys):
    def without_others(context, limit):
        labeled = read_labeled_images(context, "validation", limit)
        threes = labeled.has("3")
        return dataclasses.replace(labeled, images=labeled.images[threes], tags=labeled.tags[threes])

    module = importlib.import_module("glow_tf.evaluation.commands.attributes")  # `commands` has the function
    monkeypatch.setattr(module, "read_validation", without_others)
    monkeypatch.setattr(calibration, "choose_factor", lambda measure: 1.5)
    run = TargetOptions(str(one_level_run), out=str(tmp_path))
    options = dict(limit=100, shown=1, measured=0, strengths=(1.0,), video="gif")
    commands.attributes(run, names=("3",), **options)
    assert "directions by means\n" in capsys.readouterr().out and (tmp_path / "attributes_limit_100.npz").is_file()
    commands.attributes(run, names=("3", "7"), **options)
    assert "directions by means, calibrated, except for 3\n" in capsys.readouterr().out


def test_attributes_command_loads_the_originals_directions(one_level_run, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "z_manipulate.npy", RNG.normal(size=(40, 64)).astype(np.float32))
    monkeypatch.chdir(tmp_path)
    options = dict(names=("Smiling",), load="z_manipulate.npy", video="gif")
    commands.attributes(TargetOptions(str(one_level_run), out=str(tmp_path)), **options)
    out = capsys.readouterr().out
    assert "not measured, as no test images differ in it: Smiling" in out and "classifier" not in out
    assert (tmp_path / "attribute_Smiling_z_manipulate_npy.png").is_file() and not (
        tmp_path / "attributes.npz"
    ).exists()


def test_attributes_command_finds_a_direction_between_two_folders(one_level_run, tmp_path, capsys):
    for name, level in (("with", 200), ("without", 20)):
        (tmp_path / name).mkdir()
        for i in range(8):
            image = np.full((8, 8), level, np.uint8) + RNG.integers(0, 30, (8, 8), np.uint8)
            Image.fromarray(image).save(tmp_path / name / f"{i}.png")
        (tmp_path / name / "notes.txt").write_text("not an image, and left alone")
    folders = (str(tmp_path / "with"), str(tmp_path / "without"))
    run = TargetOptions(str(one_level_run), out=str(tmp_path / "out"))
    commands.attributes(run, folders=folders, save=str(tmp_path / "a.npz"), video="gif")
    out = capsys.readouterr().out
    assert "means +1 " in out and "samples" not in out, "there are no samples to compare two folders with"
    vectors = attributes.load_attributes(tmp_path / "a.npz", 64)
    context = open_context(one_level_run)
    bright = np.full((1, 8, 8, 1), 208, np.uint8)
    dark = np.full((1, 8, 8, 1), 32, np.uint8)
    position = [
        vectors.positions(flatten_latents([e.numpy() for e in context.model.encode(image)]))[0, 0]
        for image in (bright, dark)
    ]
    assert position[0] > position[1]
    with pytest.raises(ConfigError, match="expected two"):
        commands.attributes(run, folders=folders[:1])
    (tmp_path / "with" / "broken.png").write_text("hello")
    with pytest.raises(DataError, match=r"broken.png cannot be read as an image"):
        commands.attributes(run, folders=folders)
