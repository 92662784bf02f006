"""Test that a full disk ends a training in one sentence, and costs no checkpoint that was good."""

import re

import pytest
import tensorflow as tf

from glow_tf.errors import RunError
from helpers.commands import SMALL, call_train, largest_difference, run_fork, weights
from helpers.stub_training import StubTrainer
from helpers.tiny_trainings import train_with_a_copy


@pytest.mark.slow
def test_full_disk_keeps_the_last_checkpoint(tmp_path):
    run_dir, after_one_epoch = train_with_a_copy(tmp_path / "run", SMALL)
    words, before = [*SMALL, "--run-dir", after_one_epoch], checkpoint_files(after_one_epoch)
    for file, options in ((r"\.weights\.h5", ()), ("a checkpoint to", ("--checkpoint-minutes", "1e-6"))):
        _, err = run_fork("-m", "helpers.full_disk", *words, *options, code=2)
        assert re.search(f"cannot write .*{file}", err), err
        assert checkpoint_files(after_one_epoch) == before
    call_train(*words)
    assert largest_difference(weights(after_one_epoch), weights(run_dir)) < 1e-5


def checkpoint_files(run_dir):
    return {p.name: p.read_bytes() for p in run_dir.glob("checkpoints/*")}


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
