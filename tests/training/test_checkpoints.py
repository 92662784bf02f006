"""Test that a resumed training takes the newest checkpoint that can be read, and decodes no image again."""

import shutil

import pytest
import tensorflow as tf

from glow_tf.errors import RunError
from glow_tf.runs import Run
from helpers.tiny_runs import TINY
from helpers.tiny_trainings import trainer


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
    error_of_all = pytest.raises(RunError, match=r"none of the checkpoints in .* \(2\) can be read")
    with pytest.warns(UserWarning, match="is damaged and left out"), error_of_all:
        trainer(saved.path).restore()


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
