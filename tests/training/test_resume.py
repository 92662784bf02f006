"""Killing training at any moment costs at most the steps since the last checkpoint; the resumed run ends the same."""

import pathlib
import re
import signal
import subprocess
import time

import pytest
from training.commands import ROOT, SMALL, command, environment, largest_difference, train, weights

EVERY_STEP = ["--checkpoint-minutes", "1e-6"]
NAMES = ("last", "best", "last_average", "best_average")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The runs that nobody killed: by whether TensorFlow's op determinism was on."""
    runs = {}
    for deterministic in (True, False):
        runs[deterministic] = tmp_path_factory.mktemp("uninterrupted") / "run"
        _, err = train(*SMALL, "--run-dir", runs[deterministic], *(["--deterministic"] if deterministic else []))
        (runs[deterministic].parent / "stderr.txt").write_text(err)
    return runs


@pytest.mark.slow
def test_a_run_is_quiet(uninterrupted):
    for run_dir in uninterrupted.values():
        lines = re.split(r"[\r\n]", (run_dir.parent / "stderr.txt").read_text())
        assert [line for line in lines if line.strip() and not re.match(r"epoch \d/3: ", line)] == []
        assert any(line.startswith("epoch 1/3: ") for line in lines)


def start_and_kill(run_dir, when, *options, number=signal.SIGKILL):
    """Starts a run and sends the signal as soon as `when(run_dir)`; returns the exit code."""
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
        found = run_dir.glob("checkpoints/ckpt-*.index")
        return any(int(p.name.removeprefix("ckpt-").split(".")[0]) >= step for p in found)

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


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_ends_in_the_same_weights_bit_by_bit(moment, uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    code = start_and_kill(run_dir, MOMENTS[moment], "--deterministic")
    assert code == -signal.SIGKILL, "the run ended before it could be killed"
    train(*SMALL, "--run-dir", run_dir, "--deterministic")
    for name in NAMES:
        assert largest_difference(weights(run_dir, name), weights(uninterrupted[True], name)) == 0
    assert metrics(run_dir) == metrics(uninterrupted[True])


def metrics(run_dir):
    """The metrics table without its timings."""
    lines = [line.split(",") for line in (run_dir / "metrics.csv").read_text().splitlines()]
    drop = lines[0].index("images_per_second")
    return [[v for i, v in enumerate(line) if i != drop] for line in lines]


@pytest.mark.slow
def test_a_killed_run_ends_in_the_same_weights_without_determinism(uninterrupted, tmp_path):
    assert start_and_kill(tmp_path / "run", step_reached(9)) == -signal.SIGKILL
    train(*SMALL, "--run-dir", tmp_path / "run")
    for name in NAMES:
        assert largest_difference(weights(tmp_path / "run", name), weights(uninterrupted[False], name)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_run_goes_on(number, uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    code = start_and_kill(run_dir, step_reached(7), number=number)
    assert code == 128 + number
    out, _ = train(*SMALL, "--run-dir", run_dir)
    assert "so far" in out
    assert largest_difference(weights(run_dir), weights(uninterrupted[False])) < 1e-5


@pytest.mark.slow
def test_a_finished_run_says_so_and_more_epochs_go_on(uninterrupted):
    run_dir = uninterrupted[False]
    before = weights(run_dir)
    out, _ = train(*SMALL, "--run-dir", run_dir)
    assert "finished" in out and "--epochs" in out and "--run-dir" in out
    assert largest_difference(weights(run_dir), before) == 0
    _, err = train(*SMALL, "--run-dir", run_dir, "--width", "9", code=2)
    assert "model.width: 8 -> 9" in err
