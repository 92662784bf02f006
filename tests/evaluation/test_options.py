"""Test the options of the evaluation commands, their help and old names, and the progress bar."""

import io
import json
import math
import sys

import pytest

from glow_tf.cli import evaluate
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation import commands
from glow_tf.evaluation.options import progress_bar
from glow_tf.evaluation.target_options import TargetOptions


def test_progress_bar_appears_on_a_terminal_only(monkeypatch):
    for terminal in (True, False):
        stream = io.StringIO()
        stream.isatty = lambda terminal=terminal: terminal
        monkeypatch.setattr(sys, "stderr", stream)
        with progress_bar(3, "sampling") as bar:
            bar.update(3)
        assert ("sampling" in stream.getvalue()) == terminal


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("report", {"draws": 0}, "--draws: expected 1 to 100,000, got 0"),
        ("bits", {"limit": 0}, "--limit: expected 1 to 1,000,000,000, got 0"),
        ("bits", {"batch_size": -1}, "--batch-size"),
        ("samples", {"columns": -3}, "--columns"),
        ("samples", {"temperatures": ()}, "--temperatures: expected something, got \\(\\)"),
        ("samples", {"temperatures": (0.7, math.nan)}, "--temperatures: expected a finite number"),
        ("reconstruct", {"shown": 0}, "--shown"),
        ("reconstruct", {"label": 3}, "--label: the model is unconditional"),
        ("reconstruct", {"temperature": -1.0}, "--temperature"),
        ("interpolate", {"steps": 1}, "--steps: expected 2 to 1,000"),
        ("interpolate", {"pairs": 0}, "--pairs"),
        ("attributes", {"limit": 0}, "--limit"),
        ("attributes", {"strengths": (math.inf,)}, "--strengths"),
        ("attributes", {"names": ("smile",)}, "--names: expected some of 0, 1, .*got 'smile'"),
        ("attributes", {"load": "a.npz", "folders": ("a", "b")}, "not both"),
        ("compare", {"against": "bundled:mnist", "limit": 0}, "--limit"),
        ("encode", {"limit": -5}, "--limit"),
        ("accuracy", {"count": 0}, "--count"),
        ("frechet", {"count": 127}, "--count: expected 128 to"),
        ("frechet", {"temperature": math.nan}, "--temperature"),
    ],
)
def test_invalid_evaluation_options_write_nothing(tiny_run, tmp_path, name, options, message):
    with pytest.raises(ConfigError, match=message):
        commands.COMMANDS[name](TargetOptions(str(tiny_run), out=str(tmp_path / "out")), **options)
    assert not (tmp_path / "out").exists()


def test_missing_attribute_folder_or_own_image_writes_nothing(tiny_run, tmp_path):
    target = TargetOptions(str(tiny_run), out=str(tmp_path / "out"))
    with pytest.raises(DataError, match="there is no folder nowhere"):
        commands.attributes(target, folders=("nowhere", "nothing"))
    with pytest.raises(DataError, match="nowhere.png cannot be read as an image"):
        commands.attributes(target, images=("nowhere.png",), limit=20)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_old_names_of_a_command_and_options_warn_and_work(tiny_run, tmp_path, capsys):
    with pytest.warns(UserWarning, match="--average is now --ema"):
        evaluate.main(["bits", str(tiny_run), "--average", "--draws", "1", "--limit", "4", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "bits_draws_1_limit_4.json").read_text())["weights"] == "EMA weights"
    words = ["reconstruct", str(tiny_run), "--images", "2", "--out", str(tmp_path), "--format", "pdf", "--scale", "2"]
    with pytest.warns(UserWarning, match="--images is now --shown"):
        evaluate.main(words)
    assert (tmp_path / "reconstructions_shown_2_scale_2.pdf").is_file()
    with pytest.warns(UserWarning, match="judge is now accuracy"), pytest.raises(SystemExit) as end:
        evaluate.main(["judge", "--help"])
    assert end.value.code == 0 and f"{evaluate.NAME} accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_of_every_evaluation_command(name, capsys):
    with pytest.raises(SystemExit) as end:
        evaluate.main([name, "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0 and "--data" in text and "RUN" in text
    assert "{None}" not in text.split("options")[0]
