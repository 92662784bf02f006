"""Test that a run that is killed, or for which the disk is full, loses at most the steps since its last checkpoint, and
resumes to the same end."""

import re
import shutil
import signal
import time

import pytest

from helpers.commands import (
    SMALL,
    call_train,
    command,
    environment,
    largest_difference,
    run_fork,
    train_in_fork,
    weights,
)
from helpers.forks import Fork
from helpers.tiny_trainings import assert_same_run, train_with_a_copy

EVERY_STEP = ["--checkpoint-minutes", "1e-6"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Train to the end without a signal; return the run folder, and its copy after the first epoch."""
    return train_with_a_copy(tmp_path_factory.mktemp("uninterrupted") / "run", SMALL)


@pytest.fixture(scope="module")
def deterministic(tmp_path_factory):
    """Train to the end with TensorFlow's op determinism; return the run folder, stdout and stderr."""
    run_dir = tmp_path_factory.mktemp("deterministic") / "run"
    return run_dir, *train_in_fork(*SMALL, "--run-dir", run_dir, "--deterministic")


@pytest.mark.slow
def test_training_writes_its_results_to_stdout_and_nothing_else_to_a_log(deterministic):
    run_dir, out, err = deterministic
    assert f"next: python evaluate.py {run_dir}" in out
    assert err == ""


def start_and_kill(run_dir, when, *options, number=signal.SIGKILL):
    """Start a run and send the signal as soon as `when(run_dir)`; return the exit code."""
    process = Fork(command(*SMALL, "--run-dir", run_dir, *EVERY_STEP, *options), env=environment())
    while process.poll() is None and not when(run_dir):
        time.sleep(0.0005)
    process.send_signal(number)
    return process.wait(timeout=120)


def step_reached(step):
    def reached(run_dir):
        index_files = run_dir.glob("checkpoints/ckpt-*.index")
        return any(int(p.name.removeprefix("ckpt-").split(".")[0]) >= step for p in index_files)

    return reached


@pytest.mark.slow
def test_resume_after_a_kill_and_an_interrupt_matches_without_determinism(uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    assert start_and_kill(run_dir, step_reached(3)) == -signal.SIGKILL
    assert start_and_kill(run_dir, step_reached(7), number=signal.SIGINT) == 128 + signal.SIGINT
    out, _ = call_train(*SMALL, "--run-dir", run_dir)
    assert "so far" in out
    assert_same_run(run_dir, uninterrupted[0])


@pytest.mark.slow
def test_deterministic_resume_after_a_signal_is_bit_identical(deterministic, tmp_path):
    # Here the step is traced; the runs of `test_kills.py`, killed many times, compute it eagerly.
    run_dir, options = tmp_path / "run", [*SMALL, "--deterministic"]
    assert start_and_kill(run_dir, step_reached(7), "--deterministic", number=signal.SIGTERM) == 128 + signal.SIGTERM
    assert "so far" in train_in_fork(*options, "--run-dir", run_dir)[0]
    for name in ("last", "best", "last_average", "best_average"):
        assert largest_difference(weights(run_dir, name), weights(deterministic[0], name)) == 0


@pytest.mark.slow
def test_finished_run_is_left_unchanged_until_more_epochs_are_asked_for(uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(uninterrupted[0], run_dir)
    before = weights(run_dir)
    out, _ = call_train(*SMALL, "--run-dir", run_dir)
    assert "finished" in out and "--epochs" in out and "--run-dir" in out
    assert largest_difference(weights(run_dir), before) == 0
    _, err = call_train(*SMALL, "--run-dir", run_dir, "--width", "9", code=2)
    assert "model.width: 8 -> 9" in err
    out, _ = call_train(*SMALL, "--run-dir", run_dir, "--epochs", "4")
    assert "step 24" in out and largest_difference(weights(run_dir), before) > 0


@pytest.mark.slow
def test_compiled_training_resumes_a_plain_one_which_resumes_it(uninterrupted, tmp_path):
    """A compiled step has copies of the weights: files and validation must see the newest, and it the restored."""
    run_dir = tmp_path / "run"
    shutil.copytree(uninterrupted[1], run_dir)
    for epochs, jit_compile in ((2, "on"), (3, "off")):
        out, _ = call_train(*SMALL, "--epochs", epochs, "--jit-compile", jit_compile, "--run-dir", run_dir)
        assert "so far" in out and ("compiled by XLA" in out) == (jit_compile == "on")
    assert_same_run(run_dir, uninterrupted[0])


@pytest.mark.slow
def test_full_disk_ends_a_training_in_one_sentence_and_keeps_the_last_checkpoint(uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(uninterrupted[1], run_dir)
    words, before = [*SMALL, "--run-dir", run_dir], checkpoint_files(run_dir)
    for file, options in ((r"\.weights\.h5", ()), ("a checkpoint to", EVERY_STEP)):
        _, err = run_fork("-m", "helpers.full_disk", *words, *options, code=2)
        assert re.search(f"cannot write .*{file}", err), err
        assert checkpoint_files(run_dir) == before
    call_train(*words)
    assert_same_run(run_dir, uninterrupted[0])


def checkpoint_files(run_dir):
    return {p.name: p.read_bytes() for p in run_dir.glob("checkpoints/*")}
