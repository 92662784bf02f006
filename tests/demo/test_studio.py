"""Test the functions behind the page, without a page."""

import numpy as np
import pytest

from glow_tf.attributes import AttributesError
from glow_tf.demo.studio import KEPT, StudioError, UnknownImage, open_studio
from glow_tf.errors import GlowError
from glow_tf.evaluation import reconstruction
from glow_tf.evaluation.subject import open_subject


@pytest.fixture(scope="module")
def by_class(tiny_conditional_run):
    return open_studio(tiny_conditional_run)


def assert_same(images, expected):
    """Check equality up to rounding at bin edges, since one of the two was computed in one graph."""
    off = np.abs(np.asarray(images, int) - np.asarray(expected, int))
    assert off.max() <= 16 and np.mean(off > 0) <= 0.01, "4 bits: one level is 16"


def test_studio_samples_match_the_model(studio, by_class):
    assert_same(studio.sample(5, 0.6, 3), studio.model.sample(5, 0.6, seed=3))
    assert np.any(studio.sample(5, 0.6, 3) != studio.sample(5, 0.6, 4))
    assert_same(by_class.sample(4, 0.6, 3, label=7), by_class.model.sample(4, 0.6, labels=7, seed=3))
    assert_same(by_class.sample(12, 0.6, 3), by_class.model.sample(12, 0.6, labels=np.arange(12) % 10, seed=3))


@pytest.mark.parametrize("which", ["studio", "by_class"])
def test_studio_blends_end_in_their_images(which, request):
    studio = request.getfixturevalue(which)
    first, second = studio.test_images[0], studio.test_images[-1]
    blends = studio.blend(first, second, [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(blends[0], studio.image(first))
    np.testing.assert_array_equal(blends[2], studio.image(second))
    assert np.any(blends[1] != blends[0]) and np.any(blends[1] != blends[2])


def test_studio_attributes_come_from_the_data(studio):
    name = studio.test_images[0]
    studio.directions.wait()
    assert studio.directions.state() == {"state": "ready", "names": list("0123456789")}
    np.testing.assert_array_equal(studio.move(name, {})[0], studio.image(name))
    both = studio.move(name, {"3": 0.5, "7": -0.5})
    assert np.any(both != studio.move(name, {"3": 0.5})) and np.any(both != studio.move(name, {"7": -0.5}))
    with pytest.raises(AttributesError, match="expected one of 0, 1"):
        studio.move(name, {"smile": 1.0})


def test_studio_attributes_come_from_a_file(studio, tiny_run, tmp_path):
    z = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
    np.save(tmp_path / "z_manipulate.npy", z)
    again = open_studio(tiny_run, attributes=tmp_path / "z_manipulate.npy")
    assert "Smiling" in again.directions.state()["names"]
    assert again.move("test-0", {"Smiling": 0.2, "Male": 0.1}).shape == (1, 8, 8, 1)
    np.save(tmp_path / "other.npy", z[:, :5])
    with pytest.raises(AttributesError, match="expected float directions"):
        open_studio(tiny_run, attributes=tmp_path / "other.npy")


def test_studio_redraws_the_chosen_levels(studio):
    name = studio.test_images[2]
    expected = reconstruction.redraw_levels(studio.model, studio.image(name)[None], temperature=0.7, seed=5)
    for levels in ([], [0], [0, 1]):
        assert_same(studio.redraw(name, levels, 0.7, 5, 1), expected[len(levels)])
    coarse = studio.redraw(name, [1], 0.7, 5, 3)
    assert coarse.shape == (3, 8, 8, 1) and np.any(coarse[0] != coarse[1])
    with pytest.raises(StudioError, match="levels: expected 0 to 1, got 2"):
        studio.redraw(name, [2], 0.7, 5, 1)


def test_studio_keeps_a_bounded_number_of_uploads(studio, by_class):
    image = np.full((8, 8, 1), 77, np.uint8)
    name = studio.add(image)
    assert name == studio.add(image) and np.all(studio.image(name) == 64), "quantized to 4 bits"
    np.testing.assert_array_equal(studio.blend(name, "test-0", [0.0])[0], studio.image(name))
    assert by_class.add(image, 3) != by_class.add(image, 4)
    with pytest.raises(StudioError, match="class: expected 0 to 9, got 10"):
        by_class.add(image, 10)
    for i in range(KEPT):
        studio.add(np.full((8, 8, 1), i, np.uint8) + np.eye(8, dtype=np.uint8)[..., None] * (i * 3))
    studio.add(np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4)
    assert len(studio._own) <= KEPT
    with pytest.raises(UnknownImage, match="choose it again"):
        studio.image("own-nothing")


def test_studio_rejects_invalid_classes(studio, by_class):
    with pytest.raises(StudioError, match="unconditional"):
        studio.sample(1, 0.7, 0, label=1)
    with pytest.raises(StudioError, match="expected 0 to 9, got -1"):
        by_class.sample(1, 0.7, 0, label=-1)


def test_studio_opens_a_keras_file_without_data(tiny_run, tmp_path):
    open_subject(tiny_run).model.save(tmp_path / "model.keras")
    studio = open_studio(tmp_path / "model.keras")
    assert studio.test_images == [] and "start the page with --data" in studio.data_error
    assert studio.directions.state()["state"] == "none"
    assert studio.sample(2, 0.7, 0).shape == (2, 8, 8, 1)
    with pytest.raises(GlowError, match="there is no folder"):
        open_studio(tmp_path / "model.keras", data=f"folder:{tmp_path / 'nothing'}")
    assert len(open_studio(tmp_path / "model.keras", data="bundled:digits").test_images) == 48


def test_studio_traces_one_graph_for_any_number_of_images(studio):
    for count in (1, 3, 9):
        studio.redraw("test-1", [0], 0.7, 0, count)
        studio.sample(count, 0.5, 0)
    assert studio._decode.experimental_get_tracing_count() == 1
    assert studio._encode.experimental_get_tracing_count() == 1
