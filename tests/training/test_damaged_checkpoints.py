"""Test that a training passes over damaged checkpoints with a warning, and over none that it cannot read just now."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.errors import RunError
from glow_tf.training.checkpoints import UNAVAILABLE_ERRORS
from helpers.damage import empty, replace_by_garbage
from helpers.damaged_runs import point, resume
from helpers.stub_training import EXPERIMENT, CountingStep, StubTrainer, train


@pytest.mark.slow
def test_lost_list_of_checkpoints_costs_nothing(damaged, trainer):
    for damage in (empty, replace_by_garbage):
        damage(damaged / "checkpoints" / "checkpoint")
        with pytest.warns(UserWarning, match="checkpoint is missing or damaged; the checkpoints beside it are used"):
            assert resume(trainer, damaged)[1] == 4
    (damaged / "checkpoints" / "checkpoint").unlink()
    with pytest.warns(UserWarning, match="is missing or damaged"):
        again = train(damaged)
    assert again.state.steps == 4 and len(again.table.rows()) == 2


@pytest.mark.slow
def test_run_goes_on_without_its_list_of_checkpoints_and_keeps_the_latest(damaged):
    (damaged / "checkpoints" / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/ckpt-99"')
    longer = dataclasses.replace(EXPERIMENT, training=dataclasses.replace(EXPERIMENT.training, epochs=5))
    with pytest.warns(UserWarning, match="is missing or damaged"):
        again = train(damaged, experiment=longer, keep_checkpoints=2)
    assert again.state.checkpoints.steps() == [8, 10]
    assert [row["epoch"] for row in again.table.rows()] == [1, 2, 3, 4, 5]


def test_checkpoints_that_cannot_be_read_are_not_to_be_removed(damaged, trainer):
    for path in (damaged / "checkpoints").glob("*.index"):
        path.write_bytes(b"nothing")
    error_of_all = pytest.raises(RunError, match=r"none of the checkpoints in .* \(3\) can be .* another")
    with pytest.warns(UserWarning, match="is damaged and left out"), error_of_all as error:
        resume(trainer, damaged)
    assert "remove" not in str(error.value)


def test_checkpoint_with_weights_that_are_not_finite_is_left_out(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    trainer = StubTrainer(tmp_path / "run")
    trainer.restore()
    variables = {
        "flow/step_0_0/actnorm/b": trainer.state.model.trainable_variables[0],
        "first_moment": trainer.state.optimizer.first_moments[1],
        "EMA of flow/step_0_0/actnorm/b": trainer.state.ema.shadows[0],
    }
    for name, variable in variables.items():
        good = variable.numpy()
        variable.assign(np.full_like(good, np.inf))
        trainer.state.counters.step.assign(4)
        trainer.state.checkpoints.save()
        with pytest.warns(UserWarning, match=f"ckpt-4 is damaged and left out .the weight .*{name}.* is not finite"):
            assert trainer.restore() and trainer.state.steps == 2
    for path in trainer.run.checkpoints.glob("ckpt-[02].*"):
        path.unlink()
    error_of_all = pytest.raises(RunError, match="damaged or not finite, or of another")
    with pytest.warns(UserWarning, match="is damaged and left out"), error_of_all:
        trainer.restore()


def test_training_without_a_restore_goes_on_from_the_checkpoint(damaged):
    again = StubTrainer(damaged)
    again.train()
    assert again.state.steps == 4 and again.state.checkpoints.steps() == [0, 2, 4]
    assert [row["epoch"] for row in again.table.rows()] == [1, 2]


def test_damaged_checkpoint_is_moved_aside_before_training_goes_on(damaged, monkeypatch, recwarn):
    """Metrics are cut back to the older one, so a later start must not go on from the newer one."""
    data = damaged / "checkpoints" / "ckpt-4.data-00000-of-00001"
    content = data.read_bytes()
    empty(data)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CountingStep, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            train(damaged)
    assert "ckpt-4 is damaged and left out" in str(recwarn.pop(UserWarning).message)
    assert str(recwarn.pop(UserWarning).message).endswith("checkpoints/ckpt-4 is now damaged-ckpt-4")
    names = {path.name for path in (damaged / "checkpoints").glob("*ckpt-4*")}
    assert names == {"damaged-ckpt-4.index", "damaged-ckpt-4.data-00000-of-00001"}
    data.with_name(f"damaged-{data.name}").write_bytes(content)  # the disk reads it again
    again = train(damaged)
    assert again.state.checkpoints.steps() == [0, 2, 4]
    assert [row["epoch"] for row in again.table.rows()] == [1, 2]
    recwarn.clear()
    assert train(damaged).restored and not recwarn.list


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (tf.errors.ResourceExhaustedError, tf.errors.ResourceExhaustedError, "reason"),
        *((error, RunError, "cannot read .*ckpt-4 now: reason. Run the same command") for error in UNAVAILABLE_ERRORS),
    ],
)
def test_checkpoint_that_cannot_be_read_now_is_not_passed_over(error, raised, message, damaged, trainer, monkeypatch):
    def fail(_):
        raise error(None, None, "reason")

    point(trainer, damaged)
    monkeypatch.setattr(trainer.state.checkpoints.checkpoint, "restore", fail)
    with pytest.raises(raised, match=message):
        trainer.restore()


def test_index_that_the_disk_does_not_give_now_is_not_passed_over(damaged, trainer):
    index = damaged / "checkpoints" / "ckpt-4.index"
    index.unlink()
    index.symlink_to("/proc/self/mem")  # whose first byte cannot be read
    with pytest.raises(RunError, match="cannot read .*ckpt-4 now: Input/output error. Run the same command"):
        resume(trainer, damaged)
    assert index.is_symlink(), "it stays where it is"
