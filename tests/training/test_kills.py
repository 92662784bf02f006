"""Test that a run that is killed at any moment is taken up by the same command to the same end."""

import json
import os
import shutil
import signal

import pytest

from glow_tf.errors import ConfigError
from glow_tf.training.run_folder import LOCK
from helpers.commands import largest_difference, run_fork, weights
from helpers.damage import run_until_killed
from helpers.marks import slow_but
from helpers.stub_training import CountingStep, StubTrainer, train

NAMES = ("last", "best", "last_average", "best_average")

MOVES = [
    "config.json",
    *["best.weights.h5", "best_average.weights.h5", "last.weights.h5", "last_average.weights.h5", "metrics.csv"] * 2,
]
"""The files of two epochs, in the order in which they are moved into place."""

USERS = ("backup/photo.png", "holiday.png", "config.json/mine", "last.weights.h5")
"""Ends of the names of a user's files in the run folder that begin like those of unfinished writes."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Train without a kill; return the run folder and the files that were moved into place."""
    path = tmp_path_factory.mktemp("whole") / "run"
    return path, run_until_killed(lambda: train(path))


def metrics(path):
    """Read the metrics table without its timings."""
    lines = [line.split(",") for line in (path / "metrics.csv").read_text().splitlines()]
    timing = lines[0].index("images_per_second")
    return [line[:timing] + line[timing + 1 :] for line in lines]


def leftovers(path):
    return [p.name for p in path.rglob("*") if p.name.startswith(".") or p.name == LOCK]


def test_every_file_of_a_training_is_moved_into_place(whole):
    path, moves = whole
    assert moves == MOVES
    assert not leftovers(path)
    assert [line[:2] for line in metrics(path)] == [["epoch", "step"], ["1", "2"], ["2", "4"]]


@pytest.mark.parametrize("moment", slow_but([4], [1, 2, 4, 6]), ids=lambda moment: f"{moment}-{MOVES[moment - 1]}")
def test_run_killed_at_a_write_ends_as_if_it_had_not_been(moment, whole, tmp_path):
    path = tmp_path / "run"
    run_until_killed(lambda: train(path), moment)
    assert leftovers(path), "the kill left nothing: it tests nothing"
    train(path)
    assert not leftovers(path)
    assert metrics(path) == metrics(whole[0])
    for name in NAMES:
        assert largest_difference(weights(path, name), weights(whole[0], name)) == 0


def test_kill_between_a_checkpoint_and_the_list_of_them_loses_nothing(whole, tmp_path, recwarn):
    path = tmp_path / "run"
    shutil.copytree(whole[0], path)
    state = path / "checkpoints" / "checkpoint"
    state.write_text('model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-2"\n')
    trainer = StubTrainer(path)
    assert trainer.restore() and trainer.state.steps == 4
    assert not recwarn.list


def test_first_checkpoint_is_written_before_the_first_step(tmp_path, monkeypatch):
    trainer = StubTrainer(tmp_path / "run")

    def stop(batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(CountingStep, "__call__", lambda self, batch: stop(batch))
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert trainer.state.checkpoints.steps() == [0]


def test_what_killed_writers_left_is_removed_and_the_files_of_running_ones_stay(whole, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole[0], path)
    dead = 2**22 + 1  # above the largest number that Linux gives
    gone = [path / f".{dead}.metrics.csv", path / "weights" / f".{dead}.last.weights.h5"]
    gone += [path / "checkpoints" / "checkpoint.tmp0123abcd", path / "checkpoints" / "ckpt-9_temp" / "part"]
    gone += [path / "checkpoints" / f".{dead}.checkpoint", path / "pictures" / f".{dead}.samples.png"]
    stay = [path / f".{os.getppid()}.config.json", *(path / f".{dead}.{name}" for name in USERS)]
    stay += [path / "evaluation" / f".{dead}.samples.png", path / f".{dead}.metrics.csv.old"]
    for file in (*gone, *stay):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("half")
    train(path)
    assert all(file.exists() for file in stay) and not [file for file in gone if file.exists()]


def test_folder_with_a_file_that_no_training_leaves_is_refused(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / ".123.config.json").write_text("half")
    StubTrainer(path)
    for name in ("diary.txt", *(f".2024.{name}" for name in USERS)):
        file = path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine")
        with pytest.raises(ConfigError, match="exists and is not a run folder"):
            StubTrainer(path)
        file.unlink()
        if file.parent != path:
            file.parent.rmdir()
    StubTrainer(path)


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "epochs", "every", "random", "kills"), [("cpu", 3, 1, 2, 16), ("2", 2, 3, 1, 6)])
def test_run_killed_again_and_again_ends_with_the_weights_of_an_undisturbed_one(
    devices, epochs, every, random, kills, tmp_path
):
    """Real processes are killed in one run folder, one after another, at named and at random moments."""
    out, _ = run_fork("-m", "helpers.killed_runs", tmp_path, devices, epochs, every, random, timeout=1200)
    results = json.loads(out)
    assert results["whole"] == results["end"] == 0
    assert [kill["status"] for kill in results["kills"]] == [signal.SIGKILL] * kills, "a run ended before its kill"
    assert results["kills"][0]["leftovers"] == ["config.json"] and results["kills"][-1]["step"] > 1
    left = {name for kill in results["kills"] for name in kill["leftovers"]}
    assert left >= {"best.weights.h5", "best_average.weights.h5"}, "no kill was in the middle of a write"
    assert not leftovers(tmp_path / "killed")
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    for name in NAMES:
        assert largest_difference(weights(tmp_path / "killed", name), weights(tmp_path / "whole", name)) == 0
