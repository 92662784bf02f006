"""Test how weights are put into the package, and that errors of an experiment's user are one sentence."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from experiments import frechet_ladder
from experiments.pretrained import __main__ as pretrained
from experiments.pretrained import attributes, top_levels
from glow_tf import Glow, load_attributes, model_files, presets
from glow_tf.metrics_table import MetricsTable
from glow_tf.model_files import load_weights_file
from glow_tf.runs import Run
from helpers.commands import ROOT, call, run_fork

NAME = "experiments.pretrained"


@pytest.fixture
def validated_run(tiny_run, tmp_path, monkeypatch):
    """Make the tiny run that of the preset digits; return a copy whose EMA weights are better by validation."""
    folder, experiment = shutil.copytree(tiny_run, tmp_path / "run"), Run(tiny_run).experiment()
    preset = dataclasses.replace(presets.get("digits"), model=experiment.model, training=experiment.training)
    monkeypatch.setitem(presets.PRESETS, "digits", preset)
    row = {"epoch": 1, "step": 4, "images": 64, "images_per_second": 32, "val_bits_x": 3.0, "val_bits_x_average": 2.0}
    MetricsTable(folder / "metrics.csv").append(row)
    return folder


@pytest.mark.slow
def test_weights_card_and_attributes_of_a_run_belong_together(validated_run, tmp_path, monkeypatch):
    monkeypatch.setattr(attributes, "MAX_IMAGES", 300)
    call(pretrained.main, NAME, validated_run, "digits", "--out", tmp_path / "out")
    card = json.loads((tmp_path / "out" / "digits.json").read_text())
    assert card["weights"] == "EMA" and card["trained"]["minutes"] == 0 and card["test"]["bits_per_dim"] > 0
    model = Glow(presets.get("digits").model)
    load_weights_file(model, tmp_path / "out" / "digits.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], Run(validated_run).model(ema=True).get_weights()[0])
    monkeypatch.setattr(model_files, "PACKAGED_WEIGHTS", tmp_path / "out")
    assert list(load_attributes("digits").names) == card["attributes"]["names"]


@pytest.mark.slow
def test_run_that_cannot_be_used_leaves_the_files_as_they_are(validated_run, tiny_conditional_run, tmp_path):
    out = tmp_path / "out"
    for run, preset, message in (
        (tmp_path, "digits", "is not a run folder"),
        (validated_run, "digitz", "Did you mean digits?"),
        (validated_run, "faces", "the run has another model than the preset faces, in image_shape"),
        (tiny_conditional_run, "digits_conditional", "digits_conditional is conditional"),
    ):
        assert message in call(pretrained.main, NAME, run, preset, "--out", out, code=2)[1]
    weights = Run(validated_run).weights_path(ema=True)
    large = Run(validated_run).model(ema=True)
    large.trainable_variables[0].assign(1e30 * large.trainable_variables[0])
    large.save_weights(weights)
    _, err = call(pretrained.main, NAME, validated_run, "digits", "--out", out, code=2)
    assert "test images are not finite, as the weights are too large" in err
    (validated_run / "metrics.csv").unlink()
    _, err = call(pretrained.main, NAME, validated_run, "digits", "--out", out, code=2)
    assert f"no epoch of {validated_run} has a validation loss that is finite" in err
    assert not out.exists()


def test_direction_that_float16_cannot_hold_is_refused(tmp_path):
    directions = np.random.default_rng(0).standard_normal((2, 50)) * np.array([[1.0], [1e6]])
    _, err = call(lambda _: attributes.rounded(directions) and 0, NAME, code=2)
    assert "have the cosine nan, expected more than 0.998" in err


def test_top_levels_refuse_weights_of_too_few_levels(tmp_path, monkeypatch):
    config = dataclasses.replace(presets.get("digits").model, depth=1, width=4)
    monkeypatch.setattr(top_levels, "PRESET", dataclasses.replace(presets.get("digits"), model=config))
    Glow(config).save_weights(tmp_path / "digits.weights.h5")
    (tmp_path / "digits.json").write_text("{}")
    _, err = call(top_levels.main, NAME, "--out", tmp_path, code=2)
    assert "digits.weights.h5 has weights of 2 levels, expected at least 3." in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        ("pretrained", ("nothing", "faces"), "nothing is not a run folder"),
        ("pretrained.top_levels", ("--out", "."), "No such file"),
        ("pretrained.attributes", ("faces", "--out", "."), "No such file"),
        ("frechet_ladder", ("nothing",), "nothing is not a run folder"),
        ("doc_pictures", ("--collect", "nothing"), "nothing is not a folder"),
        ("demo_pictures", (), f"this needs the package playwright: pip install '{ROOT}[dev]'."),
    ],
)
def test_error_of_the_user_of_an_experiment_is_one_line(module, words, message, tmp_path):
    (tmp_path / "playwright.py").write_text("raise ModuleNotFoundError('No module named x', name='playwright')")
    _, err = run_fork("-m", f"experiments.{module}", *words, code=2, cwd=tmp_path)
    assert err.startswith(f"python -m experiments.{module}: ") and message in err and err.count("\n") == 1


@pytest.mark.slow
def test_ladder_compares_images_of_one_shape_alone(tmp_path):
    config = dataclasses.replace(presets.get("digits").model, image_shape=(16, 16, 1), depth=1, width=4)
    Glow(config).save(tmp_path / "larger.keras")
    _, err = call(frechet_ladder.main, NAME, "digits", tmp_path / "larger.keras", code=2)
    assert "larger.keras draws images of shape (16, 16, 1), expected (8, 8, 1), as digits does." in err
