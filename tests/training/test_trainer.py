"""Test what a training reads, writes and keeps, and that steps that are not finite end it."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import presets
from glow_tf.config import RunOptions
from glow_tf.data.pipeline import evaluation_batches
from glow_tf.errors import RunError
from glow_tf.runs import Run
from glow_tf.training import session
from glow_tf.training.run_folder import FIELDS_THAT_MAY_CHANGE_ON_RESUME
from helpers.commands import largest_difference, weights
from helpers.tiny_runs import TINY
from helpers.tiny_trainings import change, trainer


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


def test_best_weights_have_the_lowest_validation_loss(tmp_path):
    one = trainer(tmp_path / "run", change(epochs=3))
    losses, seen, datasets = iter([3.0, 3.0, 1.0, 2.0, 2.0, 1.0]), [], []  # raw and EMA weights of three epochs

    def validation(dataset):
        datasets.append(dataset)
        seen.append([v.numpy() for v in one.state.model.weights])
        return {"loss": (loss := next(losses)), "bits_x": loss}

    one.validation = validation
    one.train()
    for ema, epoch in ((False, 2), (True, 3)):
        best = one.run.model("best", ema)
        for weight, expected in zip(best.weights, seen[2 * (epoch - 1) + ema], strict=True):
            np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(one.state.counters.best, [1.0, 1.0])
    assert isinstance(datasets[0], tf.data.Dataset), "a distributed one is traced again for each pass on a CPU"
    assert all(dataset is datasets[0] for dataset in datasets), "it is made, and so traced, once"


@pytest.fixture(scope="module")
def after_two_steps(tmp_path_factory):
    """Take two steps at a constant learning rate; return the run folder."""
    path = tmp_path_factory.mktemp("two_steps") / "run"
    trainer(path, change(epoch_steps=2, epochs=1, warmup_steps=1, schedule="constant")).train()
    return path


@pytest.mark.parametrize("jit_compile", ["off", pytest.param("on", marks=pytest.mark.slow)])
def test_persistent_non_finite_steps_stop_training_with_good_weights(after_two_steps, tmp_path, jit_compile):
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
    assert largest_difference(weights(tmp_path / "run"), weights(after_two_steps)) < 1e-6
    assert int(broken.state.counters.skipped.numpy()) == 8


@pytest.mark.slow
def test_initialization_from_data_repeats_itself(tmp_path):
    one, two = trainer(tmp_path / "a"), trainer(tmp_path / "b")
    for t in (one, two):
        t.initialize_from_data()
    for a, b in zip(one.state.model.weights, two.state.model.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # a GPU adds in another order each time
    for shadow, weight in zip(one.state.ema.shadows, one.state.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(tf.convert_to_tensor(shadow), weight)
