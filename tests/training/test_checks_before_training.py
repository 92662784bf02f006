"""Test what a training checks of its folder, its disk and its machines before it works."""

import collections
import dataclasses
import json
import os
import shutil

import pytest

from glow_tf.errors import ConfigError, RunError
from glow_tf.runs import Run
from glow_tf.training import machine_checks, session
from glow_tf.training.run_folder import claimed
from helpers.stub_training import EXPERIMENT, StubTrainer, train
from helpers.tiny_trainings import options


@pytest.fixture(scope="module")
def after_one_epoch(tmp_path_factory):
    """Train the first of two epochs with steps that only count; return the run folder, for tests to copy."""
    path = tmp_path_factory.mktemp("one epoch") / "run"
    one_epoch = dataclasses.replace(EXPERIMENT.training, epochs=1)
    train(path, experiment=dataclasses.replace(EXPERIMENT, training=one_epoch))
    return path


def never(*_, **__):
    raise AssertionError("work began before the check")


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
