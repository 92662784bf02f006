"""Test that pictures hold the images they are made of."""

import base64
import io
import re
import types

import numpy as np
import pytest
from PIL import Image

from glow_tf import pictures
from glow_tf.config import ModelConfig
from glow_tf.errors import ConfigError
from glow_tf.model import Glow
from glow_tf.pictures import Row, Sheet, curves
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


def test_enlarging_repeats_pixels_and_keeps_large_images_unchanged():
    small = RNG.integers(0, 256, (2, 28, 30, 3), np.uint8)
    assert pictures.enlarged(small).shape == (2, 84, 90, 3)
    np.testing.assert_array_equal(pictures.enlarged(small)[:, ::3, 2::3], small)
    large = RNG.integers(0, 256, (2, 64, 80, 3), np.uint8)
    np.testing.assert_array_equal(pictures.enlarged(large), large)


def test_sheet_has_a_row_of_whole_pixels_per_label():
    images = RNG.integers(0, 256, (3, 8, 8, 1), np.uint8)
    drawing = Sheet([("a", images), Row("b", images[::-1], ["1", "2", "3"])], "t", "run, seed 0", ["x", "y", "z"])
    tiles = images.repeat(8, axis=1).repeat(8, axis=2)[..., 0]
    for scale in (1, 2):
        page = drawing.to_array(scale)[::scale, ::scale, 0]
        for i, tile in enumerate(tiles):  # the first row holds it once, and the second one
            matches = [
                (y, x)
                for y, x in np.ndindex(page.shape[0] - 63, page.shape[1] - 63)
                if page[y, x] == tile[0, 0] and (page[y : y + 64, x : x + 64] == tile).all()
            ]
            assert len(matches) == 2 and matches[1][1] - matches[0][1] == (2 - 2 * i) * 68


def test_sheet_keeps_texts_within_its_margins_and_shortens_long_ones():
    images = np.zeros((2, 8, 8, 1), np.uint8)
    long = "a/very/long/path/of/a/run_folder_that_is_never_broken_into_words_by_anyone_who_reads_it"
    page = Sheet([(long, images)], f"Samples of {long}", f"{long}, seed 0", [long, "b"]).page()
    assert page.width == pictures.sheets.MIN_WIDTH
    for text in page.texts:
        width = pictures.page.text_width(text.text, text.size, text.bold)
        left = text.x - (width / 2 if text.anchor[0] == "m" else 0)
        assert left >= pictures.sheets.MARGIN - 2 and left + width <= page.width - pictures.sheets.MARGIN + 2
    assert any(text.text.startswith("a/ver") and "…" in text.text for text in page.texts)


def test_sheet_without_labels_has_no_margin_for_them():
    page = Sheet([("", np.zeros((2, 64, 64, 1), np.uint8))]).to_array()
    assert page.shape == (64 + 2 * 10, 2 * 64 + 4 + 2 * 10, 3)
    assert (page[10:-10, 10:74] == 0).all() and (page[:10] == pictures.BACKGROUND).all()


@pytest.mark.parametrize("labels", [("a", "a"), ("", "")], ids=["equal", "empty"])
def test_sheet_rows_with_equal_or_empty_labels_are_all_drawn(labels):
    images = RNG.integers(0, 256, (2, 3, 64, 64, 1), np.uint8)
    page = pictures.sheet(list(zip(labels, images, strict=True)))
    assert page.shape[0] == 2 * 64 + 4 + 2 * 10
    for i, row in enumerate(images):
        pixels = page[10 + 68 * i : 74 + 68 * i, -(3 * 68) - 6 : -10, 0]
        np.testing.assert_array_equal(pixels[:, :64], row[0, ..., 0])
        np.testing.assert_array_equal(pixels[:, -64:], row[2, ..., 0])


def test_sheet_as_svg_and_pdf_holds_its_texts_and_pixels(tmp_path):
    images = RNG.integers(0, 256, (2, 8, 8, 3), np.uint8)
    drawing = Sheet([("temperature 0.7", images)], "Samples", "run $a$_1, seed 0", ["x", "y"])
    for kind in ("svg", "pdf"):
        for name in ("a", "b"):
            drawing.save(tmp_path / f"{name}.{kind}", scale=2)
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    text = (tmp_path / "a.svg").read_text()
    assert set(re.findall(r"<text[^>]*>([^<]*)</text>", text)) == {
        "Samples",
        "run $a$_1, seed 0",
        "temperature 0.7",
        "x",
        "y",
    }
    raster = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]*)", text)[1])))
    expected = pictures.grid(pictures.enlarged(images), columns=2, gap=4)
    upright = np.asarray(raster.convert("RGB"))
    assert any((np.array_equal(candidate, expected)) for candidate in (upright, upright[::-1]))
    width = float(re.search(r'width="([0-9.]+)pt"', text)[1])
    assert width == pytest.approx(2 * drawing.to_array().shape[1] * 72 / 96), "of twice the size"
    assert b"/Subtype /Type3" not in (tmp_path / "a.pdf").read_bytes(), "fonts that journals take"


def test_saved_png_and_learning_curve_are_images(tmp_path):
    image = RNG.integers(0, 256, (9, 7, 1), np.uint8)
    pictures.save_png(tmp_path / "new" / "a.png", image)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "a.png"))[..., :1], image)
    rows = [{"epoch": e, "bits_x": 3 / e, "val_bits_x": 3.1 / e, "val_bits_x_average": None} for e in (1.0, 2.0, 3.0)]
    pictures.learning_curve(tmp_path / "curve.png", rows)
    pictures.learning_curve(tmp_path / "none.png", [])
    assert Image.open(tmp_path / "curve.png").size == (840, 480)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curve.png", "new", "none.png"], "nothing is left"


def test_learning_curve_names_the_best_epoch_and_the_values_above_it(tmp_path):
    losses = [9.0, 3.0, 2.5, 2.75, 3.0, 3.1, 3.2, 3.3]
    rows = [{"epoch": i + 1.0, "bits_x": 2.5, "val_bits_x": v, "val_bits_y": -v} for i, v in enumerate(losses)]
    pictures.learning_curve(tmp_path / "a.svg", rows, title="Learning curve of $x$")
    text = (tmp_path / "a.svg").read_text()
    assert ">validation, best 2.500 in epoch 3<" in text and ">▲ 1 value lies above 3.47<" in text
    assert ">Learning curve of $x$<" in text
    pictures.learning_curve(tmp_path / "b.svg", rows[1:3], weight_y=2.0)
    text = (tmp_path / "b.svg").read_text()
    assert "best 3.000 in epoch 2" in text and "▲" not in text, "by the loss of both terms"
    for bad in (float("nan"), None):
        pictures.learning_curve(tmp_path / "c.svg", [{**rows[0], "val_bits_x": bad}, *rows[1:]])
        assert "best 2.500 in epoch 3" in (tmp_path / "c.svg").read_text()


def test_learning_curve_shows_the_lowest_value_of_a_rising_curve(tmp_path, monkeypatch):
    limits = []
    monkeypatch.setattr(curves, "save_figure", lambda path, figure: limits.append(figure.axes[0].get_ylim()))
    pictures.learning_curve(tmp_path / "a.png", [{"epoch": i, "val_bits_x": 2.0 + i} for i in range(1, 9)])
    [(low, high)] = limits
    assert low < 3 and high > 10


def test_ending_that_names_no_format_is_refused(tmp_path):
    pictures.learning_curve(tmp_path / "a.PNG", [])
    with pytest.raises(ConfigError, match=r"a\.jpg: expected a name that ends in \.svg or \.pdf or \.png"):
        pictures.learning_curve(tmp_path / "a.jpg", [])


def test_sample_sheet_has_a_row_per_temperature(tiny_run, tiny_conditional_run):
    for run in (tiny_run, tiny_conditional_run):
        page = pictures.sample_sheet(Run.open(run).model(), columns=3, temperatures=(0, 1))
        assert page.ndim == 3 and page.shape[0] > 2 * 64


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_that_are_no_colors_are_drawn_in_gray_side_by_side(channels):
    images = RNG.integers(0, 256, (3, 64, 70, channels), np.uint8)
    first = pictures.sheet([("", images)])[10:74, 10:]
    for c in range(channels):
        np.testing.assert_array_equal(first[:, 70 * c : 70 * (c + 1)], np.repeat(images[0, ..., c : c + 1], 3, -1))
    decoded = np.asarray(Image.open(io.BytesIO(pictures.png(images[0]))))
    np.testing.assert_array_equal(decoded[:, 70:140, 0], images[0, ..., 1])


def test_model_of_five_channels_gets_a_sample_sheet():
    model = Glow(ModelConfig((8, 8, 5), levels=1, depth=1, width=2))
    assert pictures.sample_sheet(model, columns=2, temperatures=(1,)).shape[2] == 3


def test_picture_that_cannot_be_drawn_ends_no_training(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ValueError("no font\nand more")

    run = Run(tmp_path / "run")
    state, table = types.SimpleNamespace(model=None), types.SimpleNamespace(rows=list)
    experiment = types.SimpleNamespace(model=types.SimpleNamespace(weight_y=0.0))
    trainer = types.SimpleNamespace(
        run=run, experiment=experiment, options=None, training=None, state=state, stop=0, table=table
    )
    draws = {loop: lambda: EpochLoop(trainer)._draw_samples(3), session: lambda: session._draw(trainer, False)}
    for module, draw in draws.items():
        monkeypatch.setattr(module, "sample_sheet", fail)
        with pytest.warns(UserWarning, match=r"samples.*.png could not be drawn \(.*\); the training is not affected"):
            draw()
    assert [path.name for path in run.pictures.iterdir()] == ["learning_curve.png"]
