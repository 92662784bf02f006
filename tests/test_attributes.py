"""Interpolation and attribute vectors."""

import numpy as np
import pytest
from PIL import Image

from glow_tf import attributes
from glow_tf.evaluation import commands
from glow_tf.evaluation.subject import EvaluationError, open_subject
from glow_tf.interpolation import between, interpolate
from glow_tf.latents import flatten_latents

RNG = np.random.default_rng(0)
TRUE = np.zeros(20)
TRUE[3] = 2.0


def planted(n=400):
    """Latents in which one attribute lies along one axis, and one along none."""
    tags = RNG.random((n, 2)) < 0.4
    z = RNG.normal(size=(n, 20)) + tags[:, :1] * TRUE
    return z.astype(np.float32), tags


@pytest.mark.parametrize("method", attributes.METHODS)
def test_a_planted_direction_is_found(method):
    z, tags = planted()
    found = attributes.METHODS[method](z, tags, ("planted", "nothing"))
    direction = found.direction("planted")
    assert direction @ TRUE / np.linalg.norm(direction) / 2 > 0.85
    assert np.linalg.norm(direction) == pytest.approx(1.6 * 2, rel=0.25)
    assert np.linalg.norm(found.direction("nothing")) < 1


def test_strengths_add_up_and_positions_measure_them():
    found = attributes.Attributes(("a", "b"), np.stack([TRUE, np.roll(TRUE, 1)]).astype(np.float32))
    z = RNG.normal(size=(3, 20)).astype(np.float32)
    moved = found.apply(z, {"a": 0.5, "b": -1.0})
    np.testing.assert_allclose(found.positions(moved) - found.positions(z), [[0.5, -1.0]] * 3, atol=1e-6)
    np.testing.assert_array_equal(found.apply(z, {"a": 0.0}), z)
    with pytest.raises(attributes.AttributesError, match="expected one of a, b, got 'c'"):
        found.apply(z, {"c": 1})


def test_files(tmp_path):
    found = attributes.Attributes(("a", "b"), RNG.normal(size=(2, 20)).astype(np.float32))
    found.save(tmp_path / "a.npz")
    again = attributes.load_attributes(tmp_path / "a.npz", 20)
    assert again.names == ("a", "b")
    np.testing.assert_array_equal(again.directions, found.directions)
    np.save(tmp_path / "z_manipulate.npy", RNG.normal(size=(40, 20)).astype(np.float32))
    original = attributes.load_attributes(tmp_path / "z_manipulate.npy", 20)
    assert original.names[31] == "Smiling" and original.directions.shape == (40, 20)
    with pytest.raises(attributes.AttributesError, match=r"expected float directions \[n, 21\]"):
        attributes.load_attributes(tmp_path / "a.npz", 21)
    np.save(tmp_path / "p.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(attributes.AttributesError, match="cannot be read as attributes"):
        attributes.load_attributes(tmp_path / "p.npy", 20)


def test_an_attribute_that_all_images_have():
    with pytest.raises(attributes.AttributesError, match="'a': all 4 images are alike"):
        attributes.difference_of_means(np.zeros((4, 3)), np.ones((4, 1)), ("a",))


def test_between():
    a, b = [RNG.normal(size=(2, 3, 3, 1))], [RNG.normal(size=(2, 3, 3, 1))]
    mixed = between(a, b, [0.0, 0.25, 1.0])[0].reshape(2, 3, 3, 3, 1)
    np.testing.assert_allclose(mixed[:, 0], a[0])
    np.testing.assert_allclose(mixed[:, 1], 0.75 * a[0] + 0.25 * b[0], atol=1e-7)
    np.testing.assert_allclose(mixed[:, 2], b[0])


@pytest.mark.parametrize("run", ["tiny_run", "tiny_conditional_run"])
def test_interpolation_ends_in_the_images(run, request):
    subject = open_subject(request.getfixturevalue(run))
    images, labels, _ = subject.arrays("test", 4)
    labels = subject.labels(labels[[0, 1]])
    strips = interpolate(subject.model, images[:2], images[2:], 5, labels)
    assert strips.shape == (2, 5, 8, 8, 1)
    np.testing.assert_array_equal(strips[:, 0], images[:2])
    np.testing.assert_array_equal(strips[:, -1], images[2:])


def test_the_interpolate_command(tiny_run, tmp_path, capsys):
    commands.interpolate(str(tiny_run), pairs=2, steps=3)
    pictures = tiny_run / "pictures"
    assert (pictures / "interpolation.png").is_file()
    assert Image.open(pictures / "interpolation.gif").n_frames > 24
    files = []
    for i in range(2):
        files.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8)).save(files[-1])
    commands.interpolate(str(tiny_run), images=tuple(files))
    with pytest.raises(EvaluationError, match="two files or more"):
        commands.interpolate(str(tiny_run), images=files[:1])
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(EvaluationError, match="cannot be read as an image"):
        commands.interpolate(str(tiny_run), images=(files[0], str(tmp_path / "text.png")))


def test_the_attributes_command(tiny_run, tmp_path, capsys):
    commands.attributes(str(tiny_run), names=("3", "7"), save=str(tmp_path / "a.npz"), limit=200)
    out = capsys.readouterr().out
    assert "slider positions" in out and (tiny_run / "pictures" / "attribute_7.png").is_file()
    saved = attributes.load_attributes(tmp_path / "a.npz", 64)
    assert saved.names == tuple("0123456789")
    commands.attributes(str(tiny_run), names=("3",), load=str(tmp_path / "a.npz"))


def test_two_folders_of_ones_own(tiny_run, tmp_path, capsys):
    for name, level in (("with", 200), ("without", 20)):
        (tmp_path / name).mkdir()
        for i in range(3):
            image = np.full((8, 8), level, np.uint8) + RNG.integers(0, 30, (8, 8), np.uint8)
            Image.fromarray(image).save(tmp_path / name / f"{i}.png")
    folders = (str(tmp_path / "with"), str(tmp_path / "without"))
    commands.attributes(str(tiny_run), folders=folders, save=str(tmp_path / "a.npz"))
    found = attributes.load_attributes(tmp_path / "a.npz", 64)
    subject = open_subject(tiny_run)
    bright = np.full((1, 8, 8, 1), 208, np.uint8)
    dark = np.full((1, 8, 8, 1), 32, np.uint8)
    position = [
        found.positions(flatten_latents([e.numpy() for e in subject.model.encode(image)]))[0, 0]
        for image in (bright, dark)
    ]
    assert position[0] > position[1]
    with pytest.raises(EvaluationError, match="expected two"):
        commands.attributes(str(tiny_run), folders=folders[:1])
