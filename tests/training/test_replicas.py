"""The number of replicas and of machines changes nothing: noise and augmentation belong to a place in the batch."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from training.commands import ROOT, command, environment, largest_difference, train, weights

COURSE = """--levels 2 --depth 2 --width 16 --batch-size 16 --epoch-steps 10 --epochs 1 --warmup-steps 5
--augment full""".split()


@pytest.fixture(scope="module")
def one_replica(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("one") / "run"
    train(*COURSE, "--run-dir", run_dir)
    return run_dir


def assert_same_run(a, b):
    for name in ("last", "last_average"):
        assert largest_difference(weights(a, name), weights(b, name)) < 1e-5
    keys = ("bits_x", "val_bits_x", "val_bits_x_average", "grad_norm")
    rows = [
        dict(zip(*[line.split(",") for line in (r / "metrics.csv").read_text().split()], strict=True)) for r in (a, b)
    ]
    for key in keys:
        assert float(rows[0][key]) == pytest.approx(float(rows[1][key]), rel=1e-4)


@pytest.mark.slow
def test_two_replicas_equal_one(one_replica, tmp_path):
    out, _ = train(*COURSE, "--run-dir", tmp_path / "run", "--devices", "2")
    assert "2 CPUs" in out
    assert_same_run(one_replica, tmp_path / "run")


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    """What `two_devices.py` found."""
    done = subprocess.run(
        [sys.executable, "-m", "training.two_devices", str(tmp_path_factory.mktemp("two"))],
        env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")])),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_validation_is_the_same_on_two_replicas_and_for_any_batch(two_devices):
    found = two_devices["validation"]
    assert len(found) == 4 and max(found) - min(found) < 1e-6


@pytest.mark.slow
def test_a_step_that_is_not_finite_on_one_replica_is_skipped_on_both(two_devices):
    first, bad, third = two_devices["bad_replica"]
    for after in (first, bad, third):
        for name, (one, other) in [(n, v) for n in ("weights", "averages") for v in after[n]]:
            np.testing.assert_array_equal(one, other, err_msg=name)
    for name in ("weights", "averages", "iterations"):
        assert bad[name] == first[name] and third[name] != bad[name], name
    assert first["skipped"] == [0, 0]
    assert (bad["step"], bad["skipped"], bad["bad_in_a_row"]) == ([2, 2], [1, 1], [1, 1])
    assert (third["step"], third["skipped"], third["bad_in_a_row"]) == ([3, 3], [1, 1], [0, 0])


@pytest.mark.slow
def test_a_run_goes_on_with_other_devices(two_devices):
    found = two_devices["other_devices"]
    assert found["steps_before"] == [0, 3, 0] and found["steps_after"] == 6
    assert found["difference"] < 1e-5


@pytest.mark.slow
def test_two_machines_equal_one(one_replica, tmp_path):
    processes = start_workers(*COURSE, "--run-dir", tmp_path / "run")
    outputs = [p.communicate(timeout=300) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], outputs
    assert "2 machines" in outputs[0][0]
    assert outputs[1][0] == "", "only the first machine speaks"
    assert_same_run(one_replica, tmp_path / "run")


def start_workers(*options, count=2):
    """One process per machine, over loopback."""
    ports = []
    for _ in range(count):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return [
        subprocess.Popen(
            command(*options),
            env=environment(TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]


@pytest.mark.slow
def test_a_signal_to_one_machine_stops_both_and_the_run_goes_on(one_replica, tmp_path):
    run_dir = tmp_path / "run"
    processes = start_workers(*COURSE, "--epochs", "1000", "--run-dir", run_dir)
    while not (run_dir / "metrics.csv").is_file():
        assert all(p.poll() is None for p in processes), [p.communicate() for p in processes]
    processes[1].terminate()
    outputs = [p.communicate(timeout=120) for p in processes]
    assert [p.returncode for p in processes] == [143, 143], outputs
    first = int(outputs[0][0].rsplit("at step ", 1)[1].split(";")[0].replace(",", ""))
    assert first < 10_000


@pytest.mark.slow
def test_a_batch_that_the_replicas_do_not_divide(tmp_path):
    _, err = train(*COURSE, "--batch-size", "15", "--devices", "2", "--run-dir", tmp_path / "run", code=2)
    assert "multiple of the 2 replicas, got 15; 14 or 16 would do" in err
