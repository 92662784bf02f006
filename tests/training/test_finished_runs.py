"""Test the figures of a run, and what a training does when its last epoch is done."""

import dataclasses
import re
import shutil
import signal

import keras
import numpy as np
import pytest

from glow_tf.runs import Run
from glow_tf.training import loop, overfitting, session
from helpers.marks import slow_but
from helpers.stub_training import EXPERIMENT, StubTrainer, train
from helpers.tiny_trainings import options


@pytest.mark.slow
def test_figures_that_cannot_be_drawn_do_not_end_a_training(stubbed, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr(session, "sample_sheet", fail)
    monkeypatch.setattr(loop, "sample_sheet", fail)
    with pytest.warns(UserWarning, match="samples.png could not be drawn .operands .*; the training is not affected"):
        assert session.run(EXPERIMENT, options(tmp_path / "run")) == 0
    with pytest.warns(UserWarning, match="samples_epoch_0001.png could not be drawn"):
        train(tmp_path / "other", sample_every=1)
    assert Run(tmp_path / "other").results


@pytest.mark.slow
def test_sheets_of_the_experiment_and_notice_of_a_rise_come_with_the_epochs(tmp_path, monkeypatch, capsys):
    def notice_of_rise(rows, weight_y):
        return f"{len(rows)} epochs with {weight_y}"

    monkeypatch.setattr(overfitting, "notice_of_rise", notice_of_rise)
    monkeypatch.setattr(loop, "sample_sheet", lambda *_, **__: np.zeros([8, 8, 3], np.uint8))
    train(tmp_path / "a", experiment=dataclasses.replace(EXPERIMENT, sample_every=2))
    assert [path.name for path in (tmp_path / "a" / "pictures").iterdir()] == ["samples_epoch_0002.png"]
    assert re.findall(r"\d epochs with 0.0", capsys.readouterr().out) == ["1 epochs with 0.0", "2 epochs with 0.0"]
    train(tmp_path / "b", experiment=dataclasses.replace(EXPERIMENT, sample_every=2), sample_every=1)
    assert len(list((tmp_path / "b" / "pictures").iterdir())) == 2


@pytest.fixture
def drawn(monkeypatch):
    """Draw no figures; list the paths of the curves and the subtitles of the sheets that are asked for."""
    asked = []

    def sample_sheet(*_, subtitle):
        asked.append(subtitle)
        return np.zeros([8, 8, 3], np.uint8)

    def learning_curve(path, *_, **__):
        asked.append(path.name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")

    monkeypatch.setattr(session, "sample_sheet", sample_sheet)
    monkeypatch.setattr(session, "learning_curve", learning_curve)
    return asked


def with_epochs(epochs):
    return dataclasses.replace(EXPERIMENT, training=dataclasses.replace(EXPERIMENT.training, epochs=epochs))


class LastEpoch(keras.callbacks.Callback):
    """A callback that asks to stop at the end of the last epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


@pytest.mark.parametrize("asked_by", slow_but(["signal"], ["signal", "callback"]))
def test_run_that_is_asked_to_stop_at_its_end_is_finished(asked_by, tmp_path, drawn, monkeypatch):
    class Trainer(StubTrainer):
        def __init__(self, experiment, options, _):
            super().__init__(options.run_dir, experiment)
            self.validation = self.validate

        def validate(self, batches):
            if asked_by == "signal" and self.state.steps == 4:
                signal.raise_signal(signal.SIGTERM)
            return {"loss": 1.0, "bits_x": 1.0}

    monkeypatch.setattr(session, "Trainer", Trainer)
    lines = []
    callbacks = [LastEpoch()] if asked_by == "callback" else []
    assert session.run(EXPERIMENT, options(tmp_path / "run"), lines.append, callbacks) == 0
    assert not any("stopped" in line for line in lines)
    assert drawn == ["learning_curve.png", "run, raw weights of the best epoch"]


@pytest.mark.slow
def test_pictures_of_fewer_epochs_are_drawn_again(stubbed, tmp_path, drawn):
    """A run that was finished and then trained longer may have been killed before its figures were drawn."""
    path = tmp_path / "run"
    session.run(EXPERIMENT, options(path))
    train(path, experiment=with_epochs(3))
    drawn.clear()
    session.run(with_epochs(3), options(path))
    assert len(drawn) == 2
    session.run(with_epochs(3), options(path))
    assert len(drawn) == 2, "they are current now"
    (path / "pictures" / "samples.png").unlink()
    for best in (path / "weights").glob("best*"):
        best.unlink()
    with pytest.warns(UserWarning, match="is missing; last.weights.h5 is taken"):
        session.run(with_epochs(3), options(path))
    assert drawn[2:] == ["run, raw weights of the last epoch"]


@pytest.mark.slow
def test_finished_run_says_how_many_epochs_it_had(stubbed, tmp_path, drawn):
    lines = []
    train(tmp_path / "run")
    session.run(with_epochs(1), options(tmp_path / "run"), lines.append)
    assert any("run is finished after 2 epochs. Give --epochs" in line for line in lines)


@pytest.mark.slow
def test_finished_run_writes_lost_last_weights_from_its_checkpoint(stubbed, tmp_path):
    run = train(tmp_path / "run").run
    before = run.model("last", ema=True).get_weights()
    shutil.rmtree(run.weights)
    with pytest.warns(UserWarning, match="last_average.weights.h5 was missing; written from the checkpoint"):
        assert session.run(EXPERIMENT, options(run.path)) == 0
    for weight, expected in zip(run.model("last", ema=True).get_weights(), before, strict=True):
        assert (weight == expected).all()
