"""Test that samples which are not finite are told apart in every number and picture made of samples."""

import json
import math

import numpy as np
import pytest

from glow_tf import edits, overshoot, pictures
from glow_tf.evaluation import commands
from glow_tf.evaluation.accuracy import measure_accuracy
from glow_tf.evaluation.attribute_detection import sample_shares
from glow_tf.evaluation.attribute_table import AttributeTable
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.drawn_images import draw_images
from glow_tf.evaluation.samples import Samples, draw_samples
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.runs import Run


def overflowing(monkeypatch, module, bad):
    """Let the first `bad` images of each decoded chunk overflow."""

    def decode(model, eps, labels=None):
        eps = [np.where(np.arange(len(e))[:, None, None, None] < bad, np.float32(np.nan), e) for e in eps]
        return overshoot.decode_with_overshoot(model, eps, labels)

    monkeypatch.setattr(module, "decode_with_overshoot", decode)


def test_sample_that_is_not_finite_is_black_and_told(tiny_run, monkeypatch):
    model = Run.open(tiny_run).model()
    whole = draw_images(model, 5, 1.0, seed=3)
    np.testing.assert_array_equal(whole.images, model.sample(5, 1.0, seed=3))
    assert whole.finite.all() and whole.non_finite == 0
    overflowing(monkeypatch, edits, 2)
    drawn = draw_images(model, 5, 1.0, seed=3)
    assert drawn.finite.tolist() == [False, False, True, True, True] and not drawn.images[:2].any()
    np.testing.assert_array_equal(drawn.finite_images, whole.images[2:])


def test_bits_of_samples_leave_out_what_is_not_finite(tiny_run, monkeypatch):
    model = Run.open(tiny_run).model()
    overflowing(monkeypatch, edits, 1)
    drawn = draw_samples(model, 3, [0.7])[0.7]
    assert drawn.mean_bits() == pytest.approx(drawn.bits[1:].mean()) != drawn.bits.mean()
    overflowing(monkeypatch, edits, 3)
    nothing = draw_samples(model, 3, [0.7])[0.7]
    assert isinstance(nothing, Samples) and math.isnan(nothing.mean_bits())


@pytest.mark.slow
def test_samples_and_accuracy_commands_name_what_is_not_finite(tiny_conditional_run, tmp_path, monkeypatch, capsys):
    overflowing(monkeypatch, edits, 4)
    target = TargetOptions(str(tiny_conditional_run), out=str(tmp_path))
    commands.samples(target, columns=2, temperatures=(0.7,))
    assert "(temperature 0.7: 4 of 20 samples black, and left out of the numbers: not" in capsys.readouterr().out
    assert (
        json.loads((tmp_path / "samples_columns_2_temperatures_0.7.json").read_text())["temperatures"]["0.7"][
            "non_finite"
        ]
        == 4
    )
    commands.accuracy(target, count=20)
    assert "(4 of 20 samples count as wrong: not finite" in capsys.readouterr().out


@pytest.mark.slow
def test_strips_and_redrawn_levels_name_what_is_not_finite(tiny_run, tmp_path, monkeypatch, capsys):
    overflowing(monkeypatch, edits, 1)
    target = TargetOptions(str(tiny_run), out=str(tmp_path))
    commands.reconstruct(target, shown=3)
    assert "(3 of 9 images black, and left out of the changes: not finite" in capsys.readouterr().out
    changes = json.loads((tmp_path / "reconstructions_shown_3.json").read_text())["change"]
    assert changes["none"] == 0, "the black ones are left out"
    commands.interpolate(target, pairs=1, steps=3, video="gif")
    assert "(1 of 3 images black: not finite" in capsys.readouterr().out
    (strip,) = json.loads((tmp_path / "interpolation_pairs_1_steps_3.json").read_text())["strips"]
    assert [bits is None for bits in strip["bits_per_dim"]] == [True, False, False]


@pytest.mark.slow
def test_classifier_detects_nothing_where_there_is_no_image(tiny_conditional_run, monkeypatch):
    context = open_context(tiny_conditional_run)
    overflowing(monkeypatch, edits, 20)
    result = measure_accuracy(context, count=20)
    assert (result.samples, result.shuffled, result.non_finite) == (0.0, 0.0, 20)

    class DetectsAll:
        def predict(self, images):
            return np.ones([len(images), 2], bool)

    overflowing(monkeypatch, edits, 1)
    shares, non_finite = sample_shares(context.model, DetectsAll(), np.arange(10), 4)
    assert shares.tolist() == [0.75, 0.75] and non_finite == 1
    table = AttributeTable({"bun": 1.0}, {}, {"bun": 0.75}, {"bun": 0.75}, samples=4, non_finite=1)
    assert table.remarks()[-1] == "1 of 4 samples count as without any attribute: not finite, so no images"


def test_sheet_of_samples_names_black_tiles(tiny_run, monkeypatch):
    model = Run.open(tiny_run).model()
    assert "black" not in pictures.draw_sample_sheet(model, 3, [0.7, 1.0]).subtitle
    overflowing(monkeypatch, pictures.samples, 1)
    assert pictures.draw_sample_sheet(model, 3, [0.7, 1.0]).subtitle.endswith("2 black where the model overflows")
