"""Test what a training command checks before it works, and what does not end it."""

import collections
import dataclasses
import json
import os
import re
import shutil
import signal
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from glow_tf.config import RunOptions
from glow_tf.errors import ConfigError, RunError
from glow_tf.runs import Run
from glow_tf.training import loop, machine_checks, overfitting, session
from glow_tf.training.logs import TensorBoard
from glow_tf.training.metrics import training_metrics
from glow_tf.training.run_folder import claimed
from helpers.commands import call_train, train_in_fork
from helpers.stub_training import EXPERIMENT, StubTrainer, train


@pytest.fixture
def stubbed(monkeypatch):
    """Train with steps that only count."""
    monkeypatch.setattr(session, "Trainer", lambda experiment, options, _: StubTrainer(options.run_dir, experiment))


@pytest.fixture(scope="module")
def after_one_epoch(tmp_path_factory):
    """Train the first of two epochs with steps that only count; return the run folder, for tests to copy."""
    path = tmp_path_factory.mktemp("one epoch") / "run"
    one_epoch = dataclasses.replace(EXPERIMENT.training, epochs=1)
    train(path, experiment=dataclasses.replace(EXPERIMENT, training=one_epoch))
    return path


def never(*_, **__):
    raise AssertionError("work began before the check")


def options(path):
    return RunOptions(run_dir=str(path), devices="cpu")


def test_folder_that_is_in_use_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "set_up", never)
    with claimed(Run(tmp_path / "run")), pytest.raises(RunError, match="is in use by process"):
        session.run(EXPERIMENT, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists(), "an empty folder was left"


@pytest.mark.parametrize("path", ["file", "file/run", "loop/run", "n" * 300, "a[b]/run"])
def test_folder_that_cannot_be_written_is_refused_before_any_work(path, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setattr(session, "set_up", never)
    with pytest.raises((RunError, ConfigError), match="cannot write|not a run folder|for a pattern"):
        session.run(EXPERIMENT, options(tmp_path / path))
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


def test_refused_option_leaves_no_folder(tmp_path):
    _, err = call_train("--run-dir", tmp_path / "run", "--source", f"folder:{tmp_path / 'nothing'}", code=2)
    assert err.count("\n") == 1 and not (tmp_path / "run").exists()


def test_bad_tf_config_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "null")
    _, err = call_train("--run-dir", tmp_path / "run", code=2)
    assert err.startswith("glow-tf train: TF_CONFIG does not describe machines: it is null.") and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_worker_that_is_not_the_chief_writes_and_locks_nothing(tmp_path, monkeypatch):
    machines = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": machines, "task": {"type": "worker", "index": 1}}))

    class ReachedError(Exception):
        pass

    def set_up(_):
        raise ReachedError

    monkeypatch.setattr(session, "set_up", set_up)
    with claimed(Run(tmp_path / "run")), pytest.raises(ReachedError):
        session.run(EXPERIMENT, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_disk_without_room_is_refused_before_the_first_step(stubbed, tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 4096, 4096))
    monkeypatch.setattr(StubTrainer, "train", never)
    with pytest.raises(RunError, match=r"run needs \d\.\d MB, and its disk has 0.0 MB free"):
        session.run(EXPERIMENT, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("keep", "finished_epochs", "expected"), [(3, 0, 4), (3, 1, 2), (1, 1, 1)])
def test_room_is_asked_for_all_checkpoints_that_will_be_kept(
    keep, finished_epochs, expected, after_one_epoch, tmp_path, monkeypatch
):
    if finished_epochs:
        shutil.copytree(after_one_epoch, tmp_path / "run")
    trainer = StubTrainer(tmp_path / "run", keep_checkpoints=keep)
    trainer.restore()
    monkeypatch.setattr(trainer.state, "checkpoint_size", lambda: 10**9)
    sizes = []
    monkeypatch.setattr(session.folders, "check_room", lambda folder, size: sizes.append(size // 10**9))
    session._check_files(trainer)
    assert sizes == [expected]


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


@pytest.mark.parametrize("asked_by", ["signal", "callback"])
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


def test_finished_run_says_how_many_epochs_it_had(stubbed, tmp_path, drawn):
    lines = []
    train(tmp_path / "run")
    session.run(with_epochs(1), options(tmp_path / "run"), lines.append)
    assert any("run is finished after 2 epochs. Give --epochs" in line for line in lines)


def test_finished_run_writes_lost_last_weights_from_its_checkpoint(stubbed, tmp_path):
    run = train(tmp_path / "run").run
    before = run.model("last", ema=True).get_weights()
    shutil.rmtree(run.weights)
    with pytest.warns(UserWarning, match="last_average.weights.h5 was missing; written from the checkpoint"):
        assert session.run(EXPERIMENT, options(run.path)) == 0
    for weight, expected in zip(run.model("last", ema=True).get_weights(), before, strict=True):
        assert (weight == expected).all()


def test_tensorboard_that_cannot_write_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write .*file/tensorboard: ") as error:
        TensorBoard(tmp_path / "file" / "tensorboard").on_epoch_end(0, {"step": 1, "bits_x": 1.0})
    assert "\n" not in str(error.value)


def test_full_disk_while_a_checkpoint_is_written_is_one_sentence(tmp_path, monkeypatch):
    trainer = StubTrainer(tmp_path / "run")

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(
            None, None, "{{function_node __wrapped__SaveV2_dtypes_278_device_/job:localhost}} No space left [Op:SaveV2]"
        )

    monkeypatch.setattr(tf.train.CheckpointManager, "save", full)
    message = "cannot write a checkpoint to .*: No space left .*. The last good one is none; free some space"
    with pytest.raises(RunError, match=message) as error:
        trainer.state.save_checkpoint()
    assert "function_node" not in str(error.value)


def test_checkpoint_that_was_not_written_whole_is_removed_and_not_named(tmp_path, monkeypatch):
    state = StubTrainer(tmp_path / "run", keep_checkpoints=1).state
    state.save_checkpoint()
    save, record = tf.train.CheckpointManager.save, tf.train.CheckpointManager._record_state
    records = []

    def fail(*_, **__):
        raise tf.errors.DataLossError(None, None, "reason")

    def saved_then_failed(*arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(tf.train.CheckpointManager, "_record_state", fail)
            save(*arguments, **options)

    def second_failed(manager):
        records.append(None)
        record(manager) if len(records) < 2 else fail()

    state.counters.step.assign(3)
    monkeypatch.setattr(tf.train.CheckpointManager, "save", saved_then_failed)
    with pytest.raises(RunError, match="cannot write .*: reason. The last good one is ckpt-0; free some space"):
        state.save_checkpoint()
    assert not list(state.run.checkpoints.glob("ckpt-3*"))
    monkeypatch.setattr(tf.train.CheckpointManager, "save", save)
    monkeypatch.setattr(tf.train.CheckpointManager, "_record_state", second_failed)
    with pytest.raises(RunError, match="The last good one is ckpt-3; free some space"):
        state.save_checkpoint()
    assert state.checkpoints.steps() == [3], "the older one had been removed"


@pytest.mark.parametrize(
    ("epochs", "other", "message"),
    [
        (1, 4, "is at step 2 on this machine and is at step 4 on another"),
        (1, 0, "is at step 2 on this machine and is at step 0 on another"),
        (1, -1, "is at step 2 on this machine and has no checkpoint on another"),
        (0, 0, "has no checkpoint on this machine and is at step 0 on another"),
    ],
)
def test_machines_with_different_folders_are_all_refused(
    epochs, other, message, after_one_epoch, stubbed, tmp_path, monkeypatch
):
    if epochs:
        shutil.copytree(after_one_epoch, tmp_path / "run")

    def agreement(*_, **__):
        values_of_the_other = iter((-other, other))
        return lambda value: max(value, next(values_of_the_other))

    monkeypatch.setattr(machine_checks, "Agreement", agreement)
    monkeypatch.setattr(StubTrainer, "train", never)
    with pytest.raises(RunError, match=f"run {message}; give a --run-dir that all machines share"):
        session.run(EXPERIMENT, options(tmp_path / "run"))


def test_jump_of_the_learning_rate_is_named_where_more_epochs_stretch_a_cosine_decay(stubbed, tmp_path, monkeypatch):
    def change(**training):
        return dataclasses.replace(EXPERIMENT, training=dataclasses.replace(EXPERIMENT.training, **training))

    for schedule in ("cosine", "constant"):
        train(tmp_path / schedule, experiment=change(schedule=schedule, warmup_steps=1.0))
    monkeypatch.setattr(StubTrainer, "train", lambda _: 15)
    longer = change(schedule="cosine", warmup_steps=1.0, epochs=4)
    with pytest.warns(UserWarning, match=r"2 epochs: .* 4 makes the learning rate jump from 0 to 0\.\d+ at step 4; "):
        session.run(longer, options(tmp_path / "cosine"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        session.run(change(schedule="constant", warmup_steps=1.0, epochs=4), options(tmp_path / "constant"))
        session.run(change(schedule="cosine", warmup_steps=1.0), options(tmp_path / "cosine"))


def test_learning_rate_in_the_table_is_that_of_the_last_update(tmp_path):
    training = dataclasses.replace(EXPERIMENT.training, schedule="cosine", warmup_steps=1.0)
    trainer = train(tmp_path / "run", experiment=dataclasses.replace(EXPERIMENT, training=training))
    rates = [row["learning_rate"] for row in trainer.table.rows()]
    assert rates == pytest.approx([float(trainer.state.schedule(step)) for step in (1, 3)], rel=1e-5)
    assert rates[0] == pytest.approx(training.learning_rate, rel=1e-5) and 0 < rates[1] < rates[0]
    fresh = StubTrainer(tmp_path / "fresh").state
    assert training_metrics(fresh, 1, 16, 1.0)["learning_rate"] == 0, "no update was made yet"


def test_jump_of_the_learning_rate_is_that_of_the_next_update(tmp_path):
    def experiment(epochs):
        training = dataclasses.replace(EXPERIMENT.training, schedule="cosine", warmup_steps=0.0, epochs=epochs)
        return dataclasses.replace(EXPERIMENT, training=training)

    train(tmp_path / "run", experiment=experiment(2))
    trainer = StubTrainer(tmp_path / "run", experiment(4))
    trainer.restore()
    trainer.state.optimizer.iterations.assign(2)  # two of the four steps were skipped
    rate = EXPERIMENT.training.learning_rate
    with pytest.warns(UserWarning, match=f"from {rate / 2:.3g} to {rate * (0.5 + 0.125**0.5):.3g} at step 4; "):
        session._warn_of_another_learning_rate(trainer)


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


@pytest.mark.slow
def test_source_without_a_preset_trains_on_several_devices_and_names_its_choice_once(tmp_path):
    for i in range(40):
        Image.new("RGB", (12, 10), (6 * i, 0, 0)).save(tmp_path / f"{i}.png")
    words = "--levels 1 --depth 1 --width 8 --batch-size 4 --epoch-steps 1 --epochs 1".split()
    words += ["--source", f"folder:{tmp_path}", "--devices", 2, "--run-dir", tmp_path / "run"]
    out, err = train_in_fork(*words)
    assert err.count("40 of 40 images decide:\n  32x32 pixels") == 1
    assert "2 CPUs" in out and "32x32x3 at 5 bits" in out
