"""Test the commands that report bits/dim: of one data set, beside the paper's, and of two that are compared."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from glow_tf.cli import evaluate
from glow_tf.errors import DataError
from glow_tf.evaluation import commands, comparison
from glow_tf.evaluation.comparison import Histograms, auroc
from glow_tf.evaluation.target_options import TargetOptions
from helpers.commands import call, numbers


def files(run):
    """Read every file of a run folder that evaluate.py does not write."""
    return {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and run / "evaluation" not in p.parents}


@pytest.mark.slow
def test_report_command_writes_its_files_and_leaves_the_run_unchanged(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = files(run)
    out, err = call(evaluate.main, evaluate.NAME, run)
    assert "bits/dim" in out and "+-" in out and "reconstruction error  0 of 255" in out
    assert "images/s" not in err, "no progress bar where there is no terminal"
    for name in ("report_reconstructions.png", "report_samples.png"):
        assert Image.open(run / "evaluation" / name).size > (100, 50)
    values = numbers(run / "evaluation", "report.json")
    assert values["images"] == 300 and values["reconstruction_error"] == 0
    assert files(run) == before, "the run itself is left alone"


@pytest.mark.slow
def test_bits_command_reports_raw_and_ema_bits_per_dim(tiny_run, tmp_path, capsys):
    target = TargetOptions(str(tiny_run), out=str(tmp_path))
    commands.bits(target, draws=2, limit=32)
    out = capsys.readouterr().out
    assert "\n  raw " in out and "\n  ema " in out and "2-draw bound" in out
    values = numbers(tmp_path, "bits_draws_2_limit_32.json")
    assert values["raw"]["bits_per_dim"] != values["ema"]["bits_per_dim"]
    assert len(values["raw"]["by_level"]) == 2


def test_bits_command_shows_the_papers_value(one_level_run, tmp_path, capsys):
    shutil.copytree(one_level_run, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "name": "cifar10"}))
    commands.bits(TargetOptions(str(tmp_path / "run")), draws=1)
    assert "paper    3.35" in capsys.readouterr().out
    values = numbers(tmp_path / "run" / "evaluation", "bits_draws_1.json")
    assert values["paper"] == 3.35 and values["raw"]["error_over_draws"] is None, "no NaN, which is not JSON"
    commands.bits(TargetOptions(str(tmp_path / "run")), draws=1, limit=4)
    assert "paper" not in capsys.readouterr().out, "it is of all images"


@pytest.mark.slow
def test_compare_command_reports_auroc(tiny_run, tmp_path, capsys):
    target = TargetOptions(str(tiny_run), out=str(tmp_path))
    commands.compare(target, against="bundled:mnist", limit=100)
    assert "AUROC" in capsys.readouterr().out
    assert (tmp_path / "comparison_bundled_mnist_limit_100.png").is_file()
    commands.compare(target, against="bundled:digits", limit=50)
    assert numbers(tmp_path, "comparison_bundled_digits_limit_50.json")["auroc"] == 0.5, "a data set against itself"


def test_auroc_of_separated_scores():
    assert auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 1
    assert auroc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 0
    assert auroc(np.array([1.0, 2.0]), np.array([np.inf, np.nan])) == 1, "less likely than any"
    assert auroc(np.array([1.0, np.inf]), np.array([np.nan, 0.5])) == 0.375, "equals count half"


def test_histograms_leave_far_values_out_and_say_so(tmp_path, monkeypatch):
    inside = np.append(np.linspace(3, 4, 199), 40.0)
    outside = np.append(np.linspace(4, 5, 199), [-9.0, 0.5])
    figures = []
    monkeypatch.setattr(comparison, "save_figure", lambda path, figure, scale: figures.append(figure))
    Histograms([("digits", inside), ("a$b$", outside)], 0.987, "run, raw weights").save(tmp_path / "a.png")
    Histograms([("a", np.ones(3)), ("b", np.ones(2))], 0.5, "").save(tmp_path / "b.png")
    Histograms([("a", np.ones(3)), ("b", np.array([np.nan, 1.0]))], 0.5, "").save(tmp_path / "c.png")
    (*_, label) = figures.pop().axes[0].get_legend().get_texts()
    assert label.get_text() == "b (of 2 images 1 not finite and outside the range drawn)"
    with pytest.raises(DataError, match="no image has finite bits/dim"):
        Histograms([("a", np.full(3, np.inf)), ("b", np.full(2, np.nan))], 0.5, "").save(tmp_path / "d.png")
    [axes], [equal_values] = (figure.axes for figure in figures)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "digits (of 200 images 1 above the range drawn)",
        "a$b$ (of 201 images 2 below and 1 above the range drawn)",
    ]
    assert axes.get_title() == "Bits/dim of two data sets under run, raw weights: AUROC 0.987"
    heights = np.reshape([patch.get_height() for patch in axes.patches], [2, comparison.BINS])
    np.testing.assert_allclose(heights.sum(1), [199 / 200, 198 / 201])
    np.testing.assert_allclose([patch.get_height() for patch in equal_values.patches if patch.get_height()], [1, 1])
