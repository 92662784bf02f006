"""Test that a killed run loses at most the steps since its last checkpoint, and resumes to the same end."""

import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers.commands import ROOT, SMALL, call_train, command, environment, largest_difference, train, weights

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
def test_training_writes_its_results_to_stdout_and_only_its_progress_to_stderr(deterministic):
    run_dir, out, err = deterministic
    assert f"next: python evaluate.py {run_dir}" in out
    lines = re.split(r"[\r\n]", err)
    assert [line for line in lines if line.strip() and not re.match(r"epoch \d/3: ", line)] == []
    assert any(line.startswith("epoch 1/3: ") for line in lines)


def start_and_kill(run_dir, when, *options, number=signal.SIGKILL):
    """Start a run and send the signal as soon as `when(run_dir)`; return the exit code."""
    process = subprocess.Popen(
        command(*SMALL, "--run-dir", run_dir, *EVERY_STEP, *options),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not when(run_dir):
        time.sleep(0.0005)
    process.send_signal(number)
    return process.wait(timeout=120)


def step_reached(step):
    def reached(run_dir):
        index_files = run_dir.glob("checkpoints/ckpt-*.index")
        return any(int(p.name.removeprefix("ckpt-").split(".")[0]) >= step for p in index_files)

    return reached


def writing_checkpoint(run_dir):
    return step_reached(8)(run_dir) and any("temp" in p.name for p in pathlib.Path(run_dir).glob("checkpoints/*"))


def writing_weights(run_dir):
    return any(p.name.startswith(".") for p in pathlib.Path(run_dir).glob("weights/.*.h5"))


MOMENTS = {
    "before the first step": lambda run_dir: (run_dir / "config.json").is_file(),
    "in an epoch": step_reached(9),
    "while it writes a checkpoint": writing_checkpoint,
    "while it writes weights": writing_weights,
}


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """Kill a run at each moment, then resume all of them in one new process; return their folders by moment."""
    folder = tmp_path_factory.mktemp("killed")
    runs = {moment: folder / moment.replace(" ", "_") for moment in MOMENTS}
    for moment, run_dir in runs.items():
        code = start_and_kill(run_dir, MOMENTS[moment], "--deterministic")
        assert code == -signal.SIGKILL, f"the run ended before it could be killed {moment}"
    commands = [[*SMALL, "--run-dir", str(run_dir), "--deterministic"] for run_dir in runs.values()]
    program = f"from glow_tf.cli import train\nfor options in {commands!r}: assert train.main(options) == 0"
    done = subprocess.run([sys.executable, "-c", program], env=environment(), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_resume_after_a_kill_is_bitwise_identical(moment, resumed, deterministic):
    for name in NAMES:
        assert largest_difference(weights(resumed[moment], name), weights(deterministic[0], name)) == 0
    assert metrics(resumed[moment]) == metrics(deterministic[0])


def metrics(run_dir):
    """Read the metrics table without its timings."""
    lines = [line.split(",") for line in (run_dir / "metrics.csv").read_text().splitlines()]
    drop = lines[0].index("images_per_second")
    return [[v for i, v in enumerate(line) if i != drop] for line in lines]


def test_resume_after_a_kill_matches_without_determinism(uninterrupted, tmp_path):
    assert start_and_kill(tmp_path / "run", step_reached(3)) == -signal.SIGKILL
    out, _ = call_train(*SMALL, "--run-dir", tmp_path / "run")
    assert "so far" in out
    for name in NAMES:
        assert largest_difference(weights(tmp_path / "run", name), weights(uninterrupted, name)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_resume_after_a_signal_matches_an_uninterrupted_run(number, uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    code = start_and_kill(run_dir, step_reached(7), number=number)
    assert code == 128 + number
    out, _ = call_train(*SMALL, "--run-dir", run_dir)
    assert "so far" in out
    assert largest_difference(weights(run_dir), weights(uninterrupted)) < 1e-5


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
