"""Test that pictures hold the images they are made of."""

import io
import types

import numpy as np
import pytest
from PIL import Image

from glow_tf import pictures
from glow_tf.config import ModelConfig
from glow_tf.model import Glow
from glow_tf.runs import Run
from glow_tf.training import loop, session
from glow_tf.training.loop import EpochLoop

RNG = np.random.default_rng(0)


def test_grid_places_images_row_by_row():
    images = RNG.integers(0, 256, (5, 4, 6, 3), np.uint8)
    page = pictures.grid(images, columns=3, gap=1)
    assert page.shape == (2 * 5 - 1, 3 * 7 - 1, 3)
    np.testing.assert_array_equal(page[5:9, 7:13], images[4])
    assert (page[5:, 14:] == pictures.BACKGROUND).all()


def test_enlarging_keeps_flat_images_and_large_images_unchanged():
    flat = np.full((2, 8, 8, 1), 77, np.uint8)
    assert pictures.enlarged(flat).shape == (2, 48, 48, 1) and (pictures.enlarged(flat) == 77).all()
    large = RNG.integers(0, 256, (2, 64, 48, 3), np.uint8)
    np.testing.assert_array_equal(pictures.enlarged(large), large)


def test_sheet_has_a_row_per_label():
    images = RNG.integers(0, 256, (3, 48, 48, 1), np.uint8)
    page = pictures.sheet([("a", images), ("b", images[::-1])], title="t")
    assert page.shape[2] == 3
    columns = [x for x in range(page.shape[1] - 48) if (page[28:76, x : x + 48, 0] == images[0, :, :, 0]).all()]
    assert len(columns) == 1, "the first image is in the first row"


@pytest.mark.parametrize("labels", [("a", "a"), ("", "")], ids=["equal", "empty"])
def test_sheet_rows_with_equal_or_empty_labels_are_all_drawn(labels):
    images = RNG.integers(0, 256, (2, 3, 48, 48, 1), np.uint8)
    page = pictures.sheet(list(zip(labels, images, strict=True)))
    assert page.shape[0] == 4 + 2 * (48 + 4)
    for i, row in enumerate(images):
        pixels = page[4 + 52 * i : 52 * (i + 1), -(3 * 52) : -4, 0]
        np.testing.assert_array_equal(pixels[:, :48], row[0, ..., 0])
        np.testing.assert_array_equal(pixels[:, -48:], row[2, ..., 0])


def test_saved_png_and_learning_curve_are_images(tmp_path):
    image = RNG.integers(0, 256, (9, 7, 1), np.uint8)
    pictures.save_png(tmp_path / "new" / "a.png", image)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "a.png"))[..., :1], image)
    rows = [{"epoch": e, "bits_x": 3 / e, "val_bits_x": 3.1 / e, "val_bits_x_average": None} for e in (1.0, 2.0, 3.0)]
    pictures.learning_curve(tmp_path / "curve.png", rows)
    pictures.learning_curve(tmp_path / "none.png", [])
    assert Image.open(tmp_path / "curve.png").size == (840, 480)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curve.png", "new", "none.png"], "nothing is left"


def test_sample_sheet_has_a_row_per_temperature(tiny_run, tiny_conditional_run):
    for run in (tiny_run, tiny_conditional_run):
        page = pictures.sample_sheet(Run.open(run).model(), columns=3, temperatures=(0, 1))
        assert page.ndim == 3 and page.shape[0] > 2 * 48


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_that_are_no_colors_are_drawn_in_gray_side_by_side(channels):
    images = RNG.integers(0, 256, (3, 48, 50, channels), np.uint8)
    page = pictures.sheet([("", images)])
    first = page[4:52, -3 * (50 * channels + 4) : -3 * (50 * channels + 4) + 50 * channels]
    for c in range(channels):
        np.testing.assert_array_equal(first[:, 50 * c : 50 * (c + 1)], np.repeat(images[0, ..., c : c + 1], 3, -1))
    decoded = np.asarray(Image.open(io.BytesIO(pictures.png(images[0]))))
    np.testing.assert_array_equal(decoded[:, 50:100, 0], images[0, ..., 1])


def test_model_of_five_channels_gets_a_sample_sheet():
    model = Glow(ModelConfig((8, 8, 5), levels=1, depth=1, width=2))
    assert pictures.sample_sheet(model, columns=2, temperatures=(1,)).shape[2] == 3


def test_picture_that_cannot_be_drawn_ends_no_training(tmp_path, monkeypatch):
    def fail(*args):
        raise ValueError("no font\nand more")

    run = Run(tmp_path / "run")
    state, table = types.SimpleNamespace(model=None), types.SimpleNamespace(rows=list)
    trainer = types.SimpleNamespace(run=run, options=None, training=None, state=state, stop=0, table=table)
    draws = {loop: lambda: EpochLoop(trainer)._draw_samples(3), session: lambda: session._draw(trainer, False)}
    for module, draw in draws.items():
        monkeypatch.setattr(module, "sample_sheet", fail)
        with pytest.warns(UserWarning, match=r"samples.*.png could not be drawn \(.*\); the training is not affected"):
            draw()
    assert [path.name for path in run.pictures.iterdir()] == ["learning_curve.png"]
