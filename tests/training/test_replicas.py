"""Test that the number of replicas and machines changes nothing: noise depends on the place in the batch."""

import json
import os
import pathlib
import socket
import sys
import time

import numpy as np
import pytest

from helpers.commands import call_train, command, environment, run_fork
from helpers.forks import ROOT, Fork
from helpers.source_cases import color_images, save_pictures
from helpers.tiny_trainings import assert_same_run, train_with_a_copy

COURSE = """--levels 1 --depth 2 --width 8 --batch-size 16 --init-images 32 --epoch-steps 5 --epochs 2 --warmup-steps 5
--schedule constant --augment full --validation 0.02""".split()


@pytest.fixture(scope="module")
def one_replica(tmp_path_factory):
    """Train on one replica; return the run folder, and its copy after the first epoch."""
    return train_with_a_copy(tmp_path_factory.mktemp("one") / "run", COURSE)


@pytest.fixture(scope="module")
def two_devices(one_replica, tmp_path_factory):
    """Run `helpers.two_devices`; return its results."""
    folder = tmp_path_factory.mktemp("two")
    out, _ = run_fork("-m", "helpers.two_devices", folder, *one_replica, XLA_FLAGS=os.environ["XLA_FLAGS"])
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
def test_training_resumed_on_two_replicas_matches_one(one_replica, two_devices):
    assert two_devices["devices"] == "2 CPUs" and two_devices["resumed"] == [5, 10]
    assert_same_run(*one_replica)


@pytest.mark.slow
def test_validation_does_not_depend_on_replicas_or_batch_size(two_devices):
    bits = two_devices["validation"]
    assert len(bits) == 4 and max(bits) - min(bits) < 1e-6


@pytest.mark.slow
def test_evaluation_on_two_devices_measures_each_image_as_on_one(two_devices):
    one, two, odd = map(np.array, two_devices["evaluation"])
    assert one.shape == (2, 45) and np.ptp(one) > 0.01
    np.testing.assert_array_equal(two, one, "each device takes as many images as the one did")
    np.testing.assert_allclose(odd, one, atol=1e-6)


@pytest.mark.slow
def test_non_finite_step_on_one_replica_is_skipped_on_both(two_devices):
    first, bad, third = two_devices["bad_replica"]
    for after in (first, bad, third):
        for name, (one, other) in [(n, v) for n in ("weights", "ema") for v in after[n]]:
            np.testing.assert_array_equal(one, other, err_msg=name)
    for name in ("weights", "ema", "iterations"):
        assert bad[name] == first[name] and third[name] != bad[name], name
    assert first["skipped"] == [0, 0]
    assert (bad["step"], bad["skipped"], bad["bad_in_a_row"]) == ([12, 12], [1, 1], [1, 1])
    assert (third["step"], third["skipped"], third["bad_in_a_row"]) == ([13, 13], [1, 1], [0, 0])


@pytest.mark.slow
def test_training_compiled_by_xla_on_two_replicas_matches_one(one_replica, two_devices):
    assert_same_run(one_replica[0], pathlib.Path(two_devices["compiled"]["run"]))
    assert two_devices["compiled"]["between_replicas"] == 0


@pytest.mark.slow
def test_machines_that_hold_the_same_number_agree_on_it(two_devices):
    assert two_devices["agreed"] == 2


@pytest.mark.slow
def test_training_on_two_machines_matches_one(one_replica, tmp_path):
    processes = start_workers(*COURSE, "--run-dir", tmp_path / "run")
    outputs = [p.communicate(timeout=300) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], outputs
    assert "2 machines" in outputs[0][0]
    assert outputs[1][0] == "", "only the first machine prints"
    assert_same_run(one_replica[0], tmp_path / "run")


def start_workers(*options, **places):
    """Start train.py with options on two machines; see `start_machines`."""
    return start_machines(command(*options), **places)


def start_machines(words, folders=(ROOT, ROOT)):
    """Start one process per machine, over loopback, each in its folder."""
    ports = []
    for _ in folders:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": i}} for i in range(len(folders))]
    return [
        Fork(words, environment(TF_CONFIG=json.dumps(task)), folder)
        for task, folder in zip(tasks, folders, strict=True)
    ]


@pytest.mark.slow
def test_all_machines_start_from_the_weights_of_the_first(tmp_path):
    processes = start_machines([sys.executable, "-m", "helpers.two_machines", tmp_path / "run"])
    outputs = [p.communicate(timeout=300) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], outputs
    first, second = (json.loads(out) for out, _ in outputs)
    assert (first["chief"], second["chief"]) == (True, False)
    assert first["initialized"] != second["initialized"]
    assert [m[name] for m in (first, second) for name in ("weight", "shadow")] == [first["initialized"]] * 4


@pytest.mark.slow
def test_machine_that_lacks_an_image_is_refused_on_all(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, count in zip(folders, (40, 39), strict=True):
        (folder / "images").mkdir(parents=True)
        save_pictures(folder / "images", color_images(count))
    words = [*COURSE, "--image-shape", 8, 8, 3, "--source", "folder:images", "--run-dir", tmp_path / "run"]
    processes = start_workers(*words, folders=folders)
    outputs = [p.communicate(timeout=300) for p in processes]
    assert [p.returncode for p in processes] == [2, 2], outputs
    for _, err in outputs:
        assert "folder:images holds other images on another machine; give all machines the same ones." in err
    assert not (tmp_path / "run").exists()


def wait_for_training(run_dir, processes):
    """Wait for the first checkpoint, which is written right before the first step."""
    while not (run_dir / "checkpoints" / "ckpt-0.index").is_file():
        assert all(p.poll() is None for p in processes), [p.communicate() for p in processes]
        time.sleep(0.02)


@pytest.mark.slow
def test_end_of_one_machine_is_one_sentence_on_the_other(tmp_path):
    processes = start_workers(*COURSE, "--epochs", "1000", "--run-dir", tmp_path / "run")
    wait_for_training(tmp_path / "run", processes)
    processes[1].kill()
    _, err = processes[0].communicate(timeout=300)
    assert processes[0].returncode == 2 and "Traceback" not in err, err
    assert "another machine has ended; see its message, then run the same command on all." in err


@pytest.mark.slow
def test_signal_to_one_machine_stops_both_and_the_run_resumes(tmp_path):
    run_dir = tmp_path / "run"
    options = [*COURSE, "--epoch-steps", "30", "--run-dir", run_dir]
    processes = start_workers(*options, "--epochs", "1000")
    wait_for_training(run_dir, processes)
    processes[1].terminate()
    outputs = [p.communicate(timeout=120) for p in processes]
    assert [p.returncode for p in processes] == [143, 143], outputs
    step = int(outputs[0][0].rsplit("at step ", 1)[1].split(";")[0].replace(",", ""))
    assert step < 30_000
    out, _ = call_train(*options, "--epochs", step // 30 + 1)
    assert f"step {step:,} so far" in out


@pytest.mark.slow
def test_batch_size_must_be_a_multiple_of_the_replicas(two_devices):
    assert "multiple of the 2 replicas, got 15; 14 or 16 would do" in two_devices["wrong_batch"]
