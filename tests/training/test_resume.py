"""Test that a killed run loses at most the steps since its last checkpoint, and resumes to the same end."""

import functools
import shutil
import signal
import subprocess
import time

import pytest

from helpers.commands import SMALL, call_train, command, environment, largest_difference, train, train_in_fork, weights
from helpers.forks import ROOT, Fork

EVERY_STEP = ["--checkpoint-minutes", "1e-6"]
NAMES = ("last", "best", "last_average", "best_average")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Train to the end without a signal."""
    run_dir = tmp_path_factory.mktemp("uninterrupted") / "run"
    call_train(*SMALL, "--run-dir", run_dir)
    return run_dir


@pytest.fixture(scope="module")
def deterministic(tmp_path_factory):
    """Train to the end with TensorFlow's op determinism; return the run folder, stdout and stderr."""
    run_dir = tmp_path_factory.mktemp("deterministic") / "run"
    return run_dir, *train(*SMALL, "--run-dir", run_dir, "--deterministic")


@pytest.mark.slow
def test_training_writes_its_results_to_stdout_and_nothing_else_to_a_log(deterministic):
    run_dir, out, err = deterministic
    assert f"next: python evaluate.py {run_dir}" in out
    assert err == ""


def start_and_kill(run_dir, when, *options, number=signal.SIGKILL, start=Fork):
    """Start a run and send the signal as soon as `when(run_dir)`; return the exit code."""
    process = start(command(*SMALL, "--run-dir", run_dir, *EVERY_STEP, *options), env=environment(), cwd=ROOT)
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
def test_resume_after_a_kill_matches_without_determinism(uninterrupted, tmp_path):
    start = functools.partial(subprocess.Popen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert start_and_kill(tmp_path / "run", step_reached(3), start=start) == -signal.SIGKILL
    out, _ = call_train(*SMALL, "--run-dir", tmp_path / "run")
    assert "so far" in out
    for name in NAMES:
        assert largest_difference(weights(tmp_path / "run", name), weights(uninterrupted, name)) < 1e-5


@pytest.mark.slow
def test_resume_after_an_interrupt_matches_an_uninterrupted_run(uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    assert start_and_kill(run_dir, step_reached(7), number=signal.SIGINT) == 128 + signal.SIGINT
    out, _ = call_train(*SMALL, "--run-dir", run_dir)
    assert "so far" in out
    assert largest_difference(weights(run_dir), weights(uninterrupted)) < 1e-5


@pytest.mark.slow
def test_deterministic_resume_after_a_signal_is_bit_identical(deterministic, tmp_path):
    # Here the step is traced; the runs of `test_kills.py`, killed many times, compute it eagerly.
    run_dir, options = tmp_path / "run", [*SMALL, "--deterministic"]
    assert start_and_kill(run_dir, step_reached(7), "--deterministic", number=signal.SIGTERM) == 128 + signal.SIGTERM
    assert "so far" in train_in_fork(*options, "--run-dir", run_dir)[0]
    for name in NAMES:
        assert largest_difference(weights(run_dir, name), weights(deterministic[0], name)) == 0


@pytest.mark.slow
def test_finished_run_is_left_unchanged_until_more_epochs_are_asked_for(uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(uninterrupted, run_dir)
    before = weights(run_dir)
    out, _ = call_train(*SMALL, "--run-dir", run_dir)
    assert "finished" in out and "--epochs" in out and "--run-dir" in out
    assert largest_difference(weights(run_dir), before) == 0
    _, err = call_train(*SMALL, "--run-dir", run_dir, "--width", "9", code=2)
    assert "model.width: 8 -> 9" in err
    out, _ = call_train(*SMALL, "--run-dir", run_dir, "--epochs", "4")
    assert "step 24" in out and largest_difference(weights(run_dir), before) > 0


@pytest.mark.slow
def test_compiled_training_matches_the_plain_one_and_resumes(tmp_path):
    """A compiled step has copies of the weights: files and validation must see the newest, and it the restored."""

    def run(name, epochs, jit_compile):
        options = [*SMALL, "--schedule", "constant", "--depth", "2", "--epochs", epochs, "--jit-compile", jit_compile]
        out, _ = call_train(*options, "--run-dir", tmp_path / name)
        assert ("compiled by XLA" in out) == (jit_compile == "on")

    run("plain", 3, "off")
    run("compiled", 1, "on")
    shutil.copytree(tmp_path / "compiled", tmp_path / "continued plainly")
    run("compiled", 3, "on")
    run("continued plainly", 3, "off")
    for name in ("compiled", "continued plainly"):
        for which in NAMES:
            difference = largest_difference(weights(tmp_path / name, which), weights(tmp_path / "plain", which))
            assert difference < 1e-5, (name, which)
