"""Test that a full disk while a checkpoint is written is one sentence, and costs no checkpoint that was good.

A real training on one is in `test_resume.py`.
"""

import pytest
import tensorflow as tf

from glow_tf.errors import RunError
from helpers.stub_training import StubTrainer


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
