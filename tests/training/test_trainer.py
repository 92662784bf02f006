"""Test the files that a training writes, and that it stops cleanly when something is wrong."""

import csv
import dataclasses
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import presets
from glow_tf.config import RunOptions
from glow_tf.data.pipeline import evaluation_batches
from glow_tf.errors import ConfigError, RunError
from glow_tf.runs import Run
from glow_tf.training import devices, session
from glow_tf.training.run_folder import FIELDS_THAT_MAY_CHANGE_ON_RESUME
from glow_tf.training.trainer import Trainer
from helpers.commands import SMALL, call_train, largest_difference, run_fork, weights
from helpers.tiny_runs import TINY


def trainer(path, experiment=TINY, **options):
    return Trainer(experiment, RunOptions(run_dir=str(path), **options), devices.strategy("cpu"))


def change(**training):
    return dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, **training))


@pytest.mark.slow
def test_training_writes_a_complete_run_folder(tmp_path):
    messages = []
    options = RunOptions(run_dir=str(tmp_path / "run"), sample_every=1, devices="cpu")
    assert session.run(TINY, options, messages.append) == 0
    run = Run.open(tmp_path / "run")
    assert not presets.differences(run.experiment(), TINY, FIELDS_THAT_MAY_CHANGE_ON_RESUME)
    assert run.experiment().data.split_record.images == 1797
    for which in ("last", "best"):
        for ema in (False, True):
            run.model(which, ema)
    names = {p.name for p in run.pictures.iterdir()}
    assert names == {"learning_curve.png", "samples.png", "samples_epoch_0001.png", "samples_epoch_0002.png"}
    with open(run.metrics_path) as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["4", "8"] and [row["images"] for row in rows] == ["64", "128"]
    assert {"learning_rate", "grad_norm", "skipped", "val_bits_x", "val_bits_x_average"} <= rows[0].keys()
    text = "\n".join(messages)
    assert "1,347 images to train on" in text and f"next: glow-tf evaluate {run.path}" in text
    assert len(list(run.checkpoints.glob("*.index"))) <= 3
    again = []
    assert session.run(TINY, options, again.append) == 0
    assert any("is finished after 2 epochs. Give --epochs to train longer" in line for line in again)


@pytest.mark.slow
def test_tensorboard_events_match_the_metrics(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    one = trainer(tmp_path / "run", sample_every=2)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    one.train()
    events = EventAccumulator(str(one.run.path / "tensorboard"), {"tensors": 0}).Reload()
    tags = {"bits_x", "val_bits_x", "val_bits_x_average", "learning_rate", "grad_norm", "skipped", "images", "samples"}
    assert tags <= set(events.Tags()["tensors"])
    values = {e.step: float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("val_bits_x")}
    assert values == pytest.approx({int(r["step"]): r["val_bits_x"] for r in one.table.rows()}, rel=1e-5)
    assert [e.step for e in events.Tensors("samples")] == [8]


def close(source, split):
    """Make reading a record of the split an error."""
    closed = tf.constant(source.rows[split])

    def checked(read):
        def checked_read(rows):
            with tf.control_dependencies(
                [tf.debugging.assert_none_equal(closed[:, None], rows, message=f"{split} was read")]
            ):
                return read(tf.identity(rows))

        return checked_read

    source.read, source.gather = checked(source.read), checked(source.gather)


def test_training_does_not_read_the_test_split(tmp_path):
    one = trainer(tmp_path / "run", change(epochs=1))
    close(one.source, "test")
    one.train()
    assert one.finished
    with pytest.raises(tf.errors.InvalidArgumentError, match="test was read"):
        next(iter(evaluation_batches(one.source, "test", TINY.data, image_shape=(8, 8, 1), batch_size=4, seed=0)))


def test_resume_decodes_no_image_of_earlier_steps(tmp_path):
    one = trainer(tmp_path / "run")
    decoded, gather = [], one.source.gather

    def counted(rows):
        tf.py_function(lambda rows: decoded.extend(rows.numpy()), [rows], [])
        return gather(rows)

    one.source.gather = counted
    one.state.counters.step.assign(100_000)
    batch = next(iter(one.local_training_batches(1, 0)))
    assert batch["index"][0] == 100_000 * 16
    assert 16 <= len(decoded) < 16 * 100  # the batch and what is prefetched


def test_best_weights_have_the_lowest_validation_loss(tmp_path):
    one = trainer(tmp_path / "run", change(epochs=3))
    losses, seen = iter([3.0, 3.0, 1.0, 2.0, 2.0, 1.0]), []  # raw and EMA weights of three epochs

    def validation(dataset):
        seen.append([v.numpy() for v in one.state.model.weights])
        return {"loss": (loss := next(losses)), "bits_x": loss}

    one.validation = validation
    one.train()
    for ema, epoch in ((False, 2), (True, 3)):
        best = one.run.model("best", ema)
        for weight, expected in zip(best.weights, seen[2 * (epoch - 1) + ema], strict=True):
            np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(one.state.counters.best, [1.0, 1.0])


def test_default_run_folder_and_training_header(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages = []
    paper = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, paper_protocol=True))
    for experiment in (TINY, dataclasses.replace(paper, training=change(epochs=None, schedule="constant").training)):
        one = Trainer(experiment, RunOptions(), devices.strategy("cpu"))
        assert one.run.path == pathlib.Path("runs/digits") and one.finished is False
        session.print_head(one, messages.append)
    usual, paper = "\n".join(messages).split("digits: ")[1:]
    assert "2 epochs of 4 steps, batch 16, 1 CPU" in usual and "protocol" not in usual
    assert "trains on all training images, selects on the test split" in paper
    assert "until stopped (--epochs ends it), epochs of 4 steps" in paper


@pytest.mark.parametrize("jit_compile", ["off", pytest.param("on", marks=pytest.mark.slow)])
def test_persistent_non_finite_steps_stop_training_with_good_weights(tmp_path, jit_compile):
    good = trainer(tmp_path / "good", change(epoch_steps=2, epochs=1, warmup_steps=1, schedule="constant"))
    good.train()
    experiment = change(patience=3, epoch_steps=20, warmup_steps=1, schedule="constant")
    broken = trainer(tmp_path / "run", experiment, jit_compile=jit_compile)
    real, steps = broken.step, []

    class Step:
        trace, load, store = real.trace, real.load, real.store

        def __call__(self, batch):
            steps.append(None)
            real({**batch, "noise": batch["noise"] * np.nan} if len(steps) > 2 else batch)

    broken.step = Step()
    with pytest.raises(RunError, match=r"not finite for 8 steps in a row; stopped at step 10 .*last good weights"):
        broken.train()
    assert largest_difference(weights(tmp_path / "run"), weights(tmp_path / "good")) < 1e-6
    assert int(broken.state.counters.skipped.numpy()) == 8


@pytest.mark.slow
def test_checkpoint_within_an_epoch_holds_the_newest_state_of_a_compiled_step(tmp_path):
    first = trainer(tmp_path / "run", jit_compile="on", checkpoint_minutes=1e-6)
    real = first.step

    class Step:
        trace, load, store = real.trace, real.load, real.store

        def __call__(self, batch):
            if first.state.steps == 6:  # in the second epoch
                raise KeyboardInterrupt
            real(batch)

    first.step = Step()
    with pytest.raises(KeyboardInterrupt):
        first.train()
    real.store()
    resumed = trainer(tmp_path / "run")
    assert resumed.restore() and resumed.state.steps == 6
    for kind in ("model", "ema", "optimizer"):
        for a, b in zip(*(getattr(t.state, kind).variables for t in (first, resumed)), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=a.name)


class Setter(keras.callbacks.Callback):
    """A callback that reads the weights after each step, and sets the first one at several moments."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def add(self, value):
        self.model.trainable_variables[0].assign_add(tf.fill(self.model.trainable_variables[0].shape, value))

    def on_epoch_begin(self, epoch, logs=None):
        self.add(0.25)

    def on_train_batch_begin(self, batch, logs=None):
        self.add(0.5)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.get_weights())
        self.add(1.0)

    def on_epoch_end(self, epoch, logs=None):
        self.add(2.0)


@pytest.mark.slow
def test_callbacks_read_and_set_the_weights_of_a_compiled_step(tmp_path):
    seen = {}
    for jit_compile in ("off", "on"):
        one, callback = trainer(tmp_path / jit_compile, change(epoch_steps=2), jit_compile=jit_compile), Setter()
        one.callbacks = [callback]
        one.train()
        seen[jit_compile] = callback.seen
    assert len(seen["on"]) == 4
    for plain, compiled in zip(seen["off"], seen["on"], strict=True):
        for a, b in zip(plain, compiled, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
    for name in ("last", "last_average"):
        assert largest_difference(weights(tmp_path / "on", name), weights(tmp_path / "off", name)) < 1e-5


@pytest.mark.slow
def test_callbacks_that_only_hear_of_epochs_set_the_weights_of_a_compiled_step(tmp_path):
    class Epochs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.trainable_variables[0].assign(tf.fill(self.model.trainable_variables[0].shape, 9.0))

    one = trainer(tmp_path / "run", change(epoch_steps=1, learning_rate=1e-3), jit_compile="on")
    one.callbacks = [Epochs()]
    one.train()
    np.testing.assert_allclose(one.run.model("last").trainable_variables[0], 9.0, atol=0.1)


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


@pytest.fixture(scope="module")
def checkpoints_at_4_and_8(tmp_path_factory):
    """Make a run folder with checkpoints at two steps."""
    path = tmp_path_factory.mktemp("checkpoints") / "run"
    one = trainer(path)
    one.initialize_from_data()
    one.run.write_config(TINY)
    for step in (4, 8):
        one.state.counters.step.assign(step)
        one.state.save_checkpoint()
    return path


@pytest.fixture
def saved(checkpoints_at_4_and_8, tmp_path):
    """Copy a run folder with checkpoints at steps 4 and 8, for a test to damage."""
    return Run(shutil.copytree(checkpoints_at_4_and_8, tmp_path / "run"))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "index", "missing"])
def test_resume_falls_back_from_a_damaged_checkpoint(damage, saved):
    data = next(saved.checkpoints.glob("ckpt-8.data*"))
    if damage == "truncated":
        data.write_bytes(data.read_bytes()[:-500])
    elif damage == "flipped":
        content = bytearray(data.read_bytes())
        for i in range(0, len(content), 64):
            content[i] ^= 255
        data.write_bytes(content)
    elif damage == "index":
        (saved.checkpoints / "ckpt-8.index").write_bytes(b"nothing")
    else:
        data.unlink()
    again = trainer(saved.path)
    with pytest.warns(UserWarning, match="ckpt-8 is damaged and left out"):
        assert again.restore()
    assert again.state.steps == 4


def test_resume_without_a_readable_checkpoint_is_an_error(saved):
    for data in saved.checkpoints.glob("ckpt-*.data*"):
        data.write_bytes(b"")
    error_of_all = pytest.raises(RunError, match="none of the 2 checkpoints .* can be read")
    with pytest.warns(UserWarning, match="is damaged and left out"), error_of_all:
        trainer(saved.path).restore()


CONSTANT = [*SMALL, "--schedule", "constant"]


@pytest.fixture(scope="module")
def after_one_epoch(tmp_path_factory):
    """Train for the first of three epochs."""
    run_dir = tmp_path_factory.mktemp("one_epoch") / "run"
    call_train(*CONSTANT, "--epochs", "1", "--run-dir", run_dir)
    return run_dir


@pytest.fixture(scope="module")
def after_three_epochs(tmp_path_factory):
    """Train for three epochs without an interruption."""
    run_dir = tmp_path_factory.mktemp("three_epochs") / "run"
    call_train(*CONSTANT, "--run-dir", run_dir)
    return run_dir


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "options"), [(".weights.h5", ()), ("a checkpoint to", ("--checkpoint-minutes", "1e-6"))]
)
def test_full_disk_keeps_the_last_checkpoint(file, options, after_one_epoch, after_three_epochs, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(after_one_epoch, run_dir)
    before = {p.name: p.read_bytes() for p in run_dir.glob("checkpoints/*")}
    _, err = run_fork("-m", "helpers.full_disk", *CONSTANT, "--run-dir", run_dir, *options, code=2)
    assert re.search(f"cannot write .*{re.escape(file)}", err), err
    after = {p.name: p.read_bytes() for p in run_dir.glob("checkpoints/*")}
    assert after == before
    call_train(*CONSTANT, "--run-dir", run_dir)
    assert largest_difference(weights(run_dir), weights(after_three_epochs)) < 1e-5


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


def test_initialization_from_data_repeats_itself(tmp_path):
    one, two = trainer(tmp_path / "a"), trainer(tmp_path / "b")
    for t in (one, two):
        t.initialize_from_data()
    for a, b in zip(one.state.model.weights, two.state.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for shadow, weight in zip(one.state.ema.shadows, one.state.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(tf.convert_to_tensor(shadow), weight)
