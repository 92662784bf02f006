"""Test what a training says of its options, and that those which it cannot take are refused in one sentence."""

import dataclasses
import pathlib

import pytest

from glow_tf.config import RunOptions
from glow_tf.errors import ConfigError
from glow_tf.runs import Run
from glow_tf.training import devices, session
from glow_tf.training.trainer import Trainer
from helpers.commands import call_train
from helpers.tiny_runs import TINY
from helpers.tiny_trainings import change, trainer


def test_default_run_folder_and_training_header(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages = []
    paper = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, paper_protocol=True))
    for experiment in (
        TINY,
        dataclasses.replace(paper, training=change(epochs=None, epoch_steps=1, schedule="constant").training),
    ):
        one = Trainer(experiment, RunOptions(), devices.strategy("cpu"))
        assert one.run.path == pathlib.Path("runs/digits") and one.finished is False
        session.print_head(one, messages.append)
    usual, paper = "\n".join(messages).split("digits: ")[1:]
    assert "2 epochs of 4 steps, batch 16, 1 CPU" in usual and "protocol" not in usual
    assert "trains on all training images, selects on the test split" in paper
    assert "until stopped (--epochs ends it), epochs of 1 step, batch" in paper


def test_train_prints_the_configuration_and_rejects_unknown_presets():
    out, err = call_train("--preset", "cifar10", "--print-config")
    assert '"epoch_steps": null' in out, "what is derived must follow when the file is edited"
    derived = "beta2 0.989796, epoch_steps 98, warmup_steps 976.562, init_images 256"
    assert err == f"where null is printed, the anchor rule gives {derived}.\n"
    _, err = call_train("--preset", "cifar", code=2)
    assert err.startswith("glow-tf train: preset: expected one of digits") and err.count("\n") == 1


def test_train_rejects_an_invalid_option_value():
    _, err = call_train("--bits", "9", code=2)
    assert "expected 1 to 8, got 9" in err


def test_resume_with_another_configuration_is_rejected(tmp_path):
    Run.create(tmp_path / "run", TINY)
    with pytest.raises(ConfigError, match=r"training.learning_rate: 0.001 -> 0.1"):
        trainer(tmp_path / "run", change(learning_rate=0.1))
    trainer(tmp_path / "run", change(epochs=9, patience=7))
    remedy = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, on_damaged="skip"))
    assert trainer(tmp_path / "run", remedy).experiment.data.on_damaged == "skip"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "diary.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists and is not a run folder"):
        trainer(tmp_path / "other")


def test_model_classes_must_match_the_source(tmp_path):
    experiment = dataclasses.replace(
        TINY,
        model=dataclasses.replace(TINY.model, classes=7),
        data=dataclasses.replace(TINY.data, labels=True),
    )
    message = r"classes=7, but bundled:digits has 10 classes of labels. Set classes=10 .--classes 10., or give a source"
    with pytest.raises(ConfigError, match=message):
        trainer(tmp_path / "run", experiment)


def test_steps_that_recompute_are_not_unrolled(tmp_path):
    recomputing = dataclasses.replace(TINY, model=dataclasses.replace(TINY.model, recompute=True))
    with pytest.raises(ConfigError, match="jit_compile: unrolled keeps the activations that recompute saves; use on"):
        trainer(tmp_path / "run", recomputing, jit_compile="unrolled")
    assert not (tmp_path / "run").exists()
    assert trainer(tmp_path / "run", jit_compile="unrolled").step.unroll


def test_refused_option_leaves_no_folder(tmp_path):
    _, err = call_train("--run-dir", tmp_path / "run", "--source", f"folder:{tmp_path / 'nothing'}", code=2)
    assert err.count("\n") == 1 and not (tmp_path / "run").exists()


def test_bad_tf_config_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "null")
    _, err = call_train("--run-dir", tmp_path / "run", code=2)
    assert err.startswith("glow-tf train: TF_CONFIG does not describe machines: it is null.") and err.count("\n") == 1
    assert not (tmp_path / "run").exists()
