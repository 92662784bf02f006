"""What a run leaves behind, and what it does when something is wrong."""

import csv
import dataclasses
import pathlib
import re
import resource
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from runs_for_tests import TINY
from training.commands import ROOT, SMALL, command, environment, largest_difference, train, weights

from glow_tf.config import ConfigError, RunOptions
from glow_tf.data.pipeline import evaluation_batches
from glow_tf.runs import Run, RunError
from glow_tf.training import devices, session
from glow_tf.training.loop import Trainer, TrainingError


def trainer(path, experiment=TINY, **options):
    return Trainer(experiment, RunOptions(run_dir=str(path), **options), devices.strategy("cpu"))


def change(**training):
    return dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, **training))


@pytest.mark.slow
def test_a_run_folder(tmp_path):
    said = []
    options = RunOptions(run_dir=str(tmp_path / "run"), sample_every=1, devices="cpu")
    assert session.run(TINY, options, said.append) == 0
    run = Run.open(tmp_path / "run")
    assert run.experiment() == TINY
    for which in ("last", "best"):
        for average in (False, True):
            run.model(which, average)
    names = {p.name for p in run.pictures.iterdir()}
    assert names == {"learning_curve.png", "samples.png", "samples_epoch_0001.png", "samples_epoch_0002.png"}
    with open(run.metrics_path) as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["4", "8"] and [row["images"] for row in rows] == ["64", "128"]
    assert {"learning_rate", "grad_norm", "skipped", "val_bits_x", "val_bits_x_average"} <= rows[0].keys()
    text = "\n".join(said)
    assert "1,347 images to train on" in text and f"next: python evaluate.py {run.path}" in text
    assert len(list(run.checkpoints.glob("*.index"))) <= 3
    again = []
    assert session.run(TINY, options, again.append) == 0
    assert any("is finished: 2 epochs. To train longer give --epochs" in line for line in again)


@pytest.mark.slow
def test_tensorboard_where_it_is_installed(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    one = trainer(tmp_path / "run")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    one.options = dataclasses.replace(one.options, sample_every=2)
    one.train()
    events = EventAccumulator(str(one.run.path / "tensorboard"), {"tensors": 0}).Reload()
    tags = {"bits_x", "val_bits_x", "val_bits_x_average", "learning_rate", "grad_norm", "skipped", "images", "samples"}
    assert tags <= set(events.Tags()["tensors"])
    values = {e.step: float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("val_bits_x")}
    assert values == pytest.approx({int(r["step"]): r["val_bits_x"] for r in one.table.rows()}, rel=1e-5)
    assert [e.step for e in events.Tensors("samples")] == [8]


def close(source, split):
    """From now on reading a record of the split is an error."""
    read, closed = source.read, tf.constant(source.rows[split])

    def checked(row):
        tf.debugging.assert_none_equal(closed, row, message=f"{split} was read")
        return read(row)

    source.read = checked


def test_the_test_split_is_not_read(tmp_path):
    one = trainer(tmp_path / "run", change(epochs=1))
    close(one.source, "test")
    one.train()
    assert one.finished
    with pytest.raises(tf.errors.InvalidArgumentError, match="test was read"):
        next(iter(evaluation_batches(one.source, "test", TINY.data, image_shape=(8, 8, 1), batch_size=4, seed=0)))


def test_taking_up_a_run_decodes_nothing_of_what_lies_behind(tmp_path):
    one = trainer(tmp_path / "run")
    decoded, decode = [], one.source.decode

    def counted(record):
        tf.py_function(lambda: decoded.append(None), [], [])
        return decode(record)

    one.source.decode = counted
    one.state.counters.step.assign(100_000)
    batch = next(iter(one._training_part(1, 0)))
    assert batch["index"][0] == 100_000 * 16
    assert 16 <= len(decoded) < 16 * 100  # the batch and what is prefetched


def test_best_are_the_weights_of_the_best_validation(tmp_path):
    one = trainer(tmp_path / "run", change(epochs=3))
    losses, seen = iter([3.0, 3.0, 1.0, 2.0, 2.0, 1.0]), []  # raw and averaged of three epochs

    def validation(dataset):
        seen.append([v.numpy() for v in one.state.model.weights])
        return {"loss": (loss := next(losses)), "bits_x": loss}

    one.validation = validation
    one.train()
    for average, epoch in ((False, 2), (True, 3)):
        best = one.run.model("best", average)
        for found, expected in zip(best.weights, seen[2 * (epoch - 1) + average], strict=True):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(one.state.counters.best, [1.0, 1.0])


def test_the_default_folder_and_what_the_head_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    paper = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, paper_protocol=True))
    for experiment in (TINY, dataclasses.replace(paper, training=change(epochs=None, schedule="constant").training)):
        one = Trainer(experiment, RunOptions(), devices.strategy("cpu"))
        assert one.run.path == pathlib.Path("runs/digits") and one.finished is False
        session._say_head(one, said.append)
    usual, paper = "\n".join(said).split("digits: ")[1:]
    assert "2 epochs of 4 steps, batch 16, 1 CPU" in usual and "protocol" not in usual
    assert "trains on all training images, selects on the test split" in paper
    assert "until stopped (--epochs ends it), epochs of 4 steps" in paper


def test_training_that_does_not_recover_stops_with_its_last_good_weights(tmp_path):
    broken = trainer(tmp_path / "run", change(patience=3, epoch_steps=20))
    real, steps = broken.step, []

    class Step:
        terms, trace = real.terms, real.trace

        def __call__(self, batch):
            steps.append(None)
            real({**batch, "noise": batch["noise"] * np.nan} if len(steps) > 2 else batch)

    broken.step = Step()
    with pytest.raises(TrainingError, match=r"not finite for 8 steps in a row; stopped at step 10 .*last good weights"):
        broken.train()
    assert all(np.isfinite(w).all() for w in weights(tmp_path / "run").values())
    assert int(broken.state.counters.skipped.numpy()) == 8


def test_another_configuration_is_refused_with_the_difference(tmp_path):
    Run.create(tmp_path / "run", TINY)
    with pytest.raises(ConfigError, match=r"training.learning_rate: 0.001 -> 0.1"):
        trainer(tmp_path / "run", change(learning_rate=0.1))
    trainer(tmp_path / "run", change(epochs=9, patience=7))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "diary.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists and is not a run folder"):
        trainer(tmp_path / "other")


def test_classes_must_be_those_of_the_source(tmp_path):
    experiment = dataclasses.replace(
        TINY,
        model=dataclasses.replace(TINY.model, classes=7),
        data=dataclasses.replace(TINY.data, labels=True),
    )
    with pytest.raises(ConfigError, match="classes=7, but bundled:digits has 10 classes"):
        trainer(tmp_path / "run", experiment)


def saved(path, steps=(4, 8)):
    """A run folder with checkpoints at some steps."""
    one = trainer(path)
    one._initialize_from_data()
    one.run.write_config(TINY)
    for step in steps:
        one.state.counters.step.assign(step)
        one.state.save_checkpoint()
    return one


@pytest.mark.parametrize("damage", ["truncated", "flipped", "index", "missing"])
def test_a_damaged_newest_checkpoint_falls_back(damage, tmp_path):
    one = saved(tmp_path / "run")
    data = next(one.run.checkpoints.glob("ckpt-8.data*"))
    if damage == "truncated":
        data.write_bytes(data.read_bytes()[:-500])
    elif damage == "flipped":
        content = bytearray(data.read_bytes())
        for i in range(0, len(content), 64):
            content[i] ^= 255
        data.write_bytes(content)
    elif damage == "index":
        (one.run.checkpoints / "ckpt-8.index").write_bytes(b"nothing")
    else:
        data.unlink()
    again = trainer(tmp_path / "run")
    with pytest.warns(UserWarning, match="ckpt-8 is damaged and left out"):
        assert again.restore()
    assert again.state.steps == 4


def test_no_readable_checkpoint_is_an_error(tmp_path):
    one = saved(tmp_path / "run", steps=(4,))
    next(one.run.checkpoints.glob("ckpt-4.data*")).write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(RunError, match="none of the 1 checkpoints .* can be read"):
        trainer(tmp_path / "run").restore()


def full_disk():
    """No file of this process grows beyond 4 kB: what a full disk does, without one."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


@pytest.mark.slow
@pytest.mark.parametrize("what, options", [(".weights.h5", ()), ("a checkpoint to", ("--checkpoint-minutes", "1e-6"))])
def test_a_full_disk_leaves_the_last_checkpoint(what, options, tmp_path):
    run_dir = tmp_path / "run"
    train(*SMALL, "--schedule", "constant", "--epochs", "1", "--run-dir", run_dir)
    before = {p.name: p.read_bytes() for p in run_dir.glob("checkpoints/*")}
    done = subprocess.run(
        command(*SMALL, "--schedule", "constant", "--run-dir", run_dir, *options),
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=full_disk,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert re.search(f"cannot write .*{re.escape(what)}", done.stderr), done.stderr
    after = {p.name: p.read_bytes() for p in run_dir.glob("checkpoints/*")}
    assert after == before
    train(*SMALL, "--schedule", "constant", "--run-dir", run_dir)
    train(*SMALL, "--schedule", "constant", "--run-dir", tmp_path / "whole")
    assert largest_difference(weights(run_dir), weights(tmp_path / "whole")) < 1e-5


@pytest.mark.slow
def test_print_config_and_errors_of_the_command():
    out, _ = train("--preset", "cifar10", "--print-config")
    assert '"beta2": 0.98979' in out and '"epoch_steps": 98' in out
    _, err = train("--preset", "cifar", code=2)
    assert err.startswith("train.py: preset: expected one of digits") and err.count("\n") == 1


@pytest.mark.slow
def test_a_wrong_field_is_one_sentence():
    _, err = train("--bits", "9", code=2)
    assert "expected 1 to 8, got 9" in err


def test_all_replicas_would_start_alike(tmp_path):
    one, two = trainer(tmp_path / "a"), trainer(tmp_path / "b")
    for t in (one, two):
        t._initialize_from_data()
    for a, b in zip(one.state.model.weights, two.state.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for shadow, weight in zip(one.state.average.shadows, one.state.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(tf.convert_to_tensor(shadow), weight)
