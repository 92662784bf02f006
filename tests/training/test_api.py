"""Test training from Python: callbacks, threads and options."""

import dataclasses
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import glow_tf
from glow_tf.errors import ConfigError, DataError
from glow_tf.training import session
from helpers.tiny_runs import TINY


@pytest.fixture(scope="module")
def experiment():
    """Return an experiment of four epochs of two steps each."""
    training = dataclasses.replace(TINY.training, epochs=4, epoch_steps=2, warmup_steps=2.0)
    return dataclasses.replace(TINY, training=training)


class Recorder(keras.callbacks.Callback):
    """A callback that keeps what it is told, and stops the training at the end of an epoch.

    Args:
        last_epoch: number of the epoch, from 0.
    """

    def __init__(self, last_epoch):
        super().__init__()
        self.last_epoch, self.epochs, self.batches, self.ends = last_epoch, [], 0, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(logs)
        self.model.stop_training = epoch == self.last_epoch

    def on_train_end(self, logs=None):
        self.ends += 1


def test_callbacks_are_called_and_stop_the_training(experiment, stubbed, tmp_path, capsys):
    recorder = Recorder(last_epoch=1)
    optimizer_was_off = not tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"]
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": optimizer_was_off})
    options = {"devices": "cpu", "verbose": False, "tensorboard": False}
    run = glow_tf.train(experiment, tmp_path / "run", callbacks=[recorder], **options)
    assert recorder.params == {"epochs": 4, "steps": 2}
    assert (recorder.batches, recorder.ends) == (4, 1)
    assert [logs["step"] for logs in recorder.epochs] == [2, 4]
    assert {"bits_x", "val_bits_x", "learning_rate"} <= recorder.epochs[0].keys() and "epoch" not in recorder.epochs[0]
    assert len(run.metrics_path.read_text().splitlines()) == 3
    assert not (run.path / "tensorboard").exists()
    assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"] is optimizer_was_off

    # The same call resumes, here in a thread, where Python takes no handlers of signals.
    resumed = Recorder(last_epoch=None)
    thread = threading.Thread(
        target=lambda: glow_tf.train(experiment, run.path, callbacks=[resumed], **options), daemon=True
    )
    thread.start()
    thread.join()
    assert [logs["step"] for logs in resumed.epochs] == [6, 8]
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_checkpoints_and_tables_of_keras(experiment, tmp_path):
    path = str(tmp_path / "epoch-{epoch}-{val_bits_x:.1f}.keras")
    callbacks = [keras.callbacks.ModelCheckpoint(path), keras.callbacks.CSVLogger(tmp_path / "log.csv")]
    run = glow_tf.train(experiment, tmp_path / "run", devices="cpu", callbacks=callbacks, verbose=False)
    paths = sorted(tmp_path.glob("epoch-*.keras"))
    assert [path.name.split("-")[1] for path in paths] == ["1", "2", "3", "4"]
    for one, other in zip(glow_tf.load_model(paths[-1]).weights, run.model("last").weights, strict=True):
        np.testing.assert_array_equal(one, other)
    header, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert header.split(",").count("epoch") == 1 and len(rows) == 4


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (keras.callbacks.EarlyStopping, "expected instances of keras.callbacks.Callback, got <class"),
        (
            keras.callbacks.ReduceLROnPlateau(),
            "ReduceLROnPlateau is for keras.Model.fit; .* learning_rate, warmup_steps",
        ),
        (keras.callbacks.LearningRateScheduler(float), "LearningRateScheduler is for keras.Model.fit"),
        (keras.callbacks.BackupAndRestore("backup"), "leave it out: the same call resumes a run"),
        (keras.callbacks.SwapEMAWeights(), r"Run.model\(ema=True\) loads"),
        (keras.callbacks.ProgbarLogger(), "verbose=True shows the progress"),
        (keras.callbacks.TensorBoard("logs"), "a run writes files for TensorBoard itself"),
        (keras.callbacks.EarlyStopping("val_bits_x"), 'such as monitor="val_bits_x" .* got \'val_bits_x\' and "auto"'),
        (keras.callbacks.ModelCheckpoint("m.keras", save_best_only=True), "got 'val_loss' and \"auto\""),
    ],
)
def test_callbacks_that_fail_in_a_run_are_refused_before_it(callback, message, experiment, tmp_path):
    with pytest.raises(ConfigError, match=message):
        glow_tf.train(experiment, tmp_path / "run", callbacks=[callback])
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_early_stopping_of_keras(experiment, tmp_path):
    # Nothing is better than the first epoch by 100 bits/dim.
    stop = keras.callbacks.EarlyStopping("val_bits_x", patience=1, min_delta=100.0, mode="min")
    run = glow_tf.train(experiment, tmp_path / "run", devices="cpu", callbacks=[stop], verbose=False)
    assert len(run.metrics_path.read_text().splitlines()) == 1 + 2
    assert stop.stopped_epoch == 1


def test_wrong_options_are_refused(experiment, tmp_path):
    with pytest.raises(ConfigError, match="there is no option device. Did you mean devices?"):
        glow_tf.train(experiment, tmp_path / "run", device="cpu")
    message = r"epochs is no option but .* training; give .*, training=dataclasses.replace\(.*training, epochs=...\)\)."
    with pytest.raises(ConfigError, match=message):
        glow_tf.train("digits", tmp_path / "run", epochs=3)
    with pytest.raises(TypeError, match="expected an Experiment or the name of a preset, got ModelConfig"):
        glow_tf.train(experiment.model, tmp_path / "run")
    with pytest.raises(ConfigError, match="preset: expected one of .*, got 'digit'. Did you mean digits?"):
        glow_tf.train("digit")
    assert not (tmp_path / "run").exists()


def test_data_error_inside_tf_data_is_raised_as_such(experiment, tmp_path, monkeypatch):
    def run(*_, **__):
        raise tf.errors.InvalidArgumentError(None, None, "INVALID_ARGUMENT: DataError: a.png is damaged.\nTraceback")

    monkeypatch.setattr(session, "run", run)
    with pytest.raises(DataError, match=r"^a\.png is damaged\.$"):
        glow_tf.train(experiment, tmp_path / "run")
