"""Test that the benchmark runs; its measurements need `python -m benchmarks` on a quiet machine."""

import contextlib
import dataclasses
import io
import json
import runpy
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import feeding, implementations, processes, race, scaling, worker
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import parts as gpu_parts
from benchmarks.gpu.profile import kernel_times
from benchmarks.implementations import products
from benchmarks.work import CELEBAHQ, PAPER, SMALL, Work
from glow_tf import presets
from glow_tf.data import cache
from helpers.commands import ROOT

IN_A_PROCESS = ("numpy products", "nobody")
"""Implementations that tests run in processes of their own; the others import TensorFlow or PyTorch."""


class WorkerHere:
    """An implementation in this process."""

    def __init__(self, name, work):
        self.implementation = implementations.make(name, work)
        self.versions = self.implementation.versions

    def run(self, task, repeats):
        return worker.run(self.implementation, task, repeats)

    def close(self):
        """Do nothing: there is no process to end."""


def result_here(module, *arguments):
    """Run a module of the benchmark in this process; see `processes.result`."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setattr(sys, "argv", [module, *map(str, arguments)])
        patch.setenv(processes.START_TIME, repr(time.time()))
        runpy.run_module(f"benchmarks.{module}", run_name="__main__")
    return json.loads(out.getvalue().splitlines()[-1])


@pytest.fixture
def run_benchmarks(monkeypatch, tmp_path, capsys):
    """Return a function that runs `python -m benchmarks` with small work in this process, and returns its output."""
    cifar10 = presets.get("cifar10")
    small = dataclasses.replace(cifar10, model=dataclasses.replace(cifar10.model, levels=1, width=8))
    monkeypatch.setitem(presets.PRESETS, "cifar10", small)
    monkeypatch.setattr(products, "SIZE", 64)
    make_process = race.Worker
    monkeypatch.setattr(
        race, "Worker", lambda name, work: (make_process if name in IN_A_PROCESS else WorkerHere)(name, work)
    )
    monkeypatch.setattr(processes, "result", result_here)
    monkeypatch.chdir(ROOT)

    def run(*options, out=tmp_path):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--small", *options, "--out", str(out)])
        runpy.run_module("benchmarks", run_name="__main__")
        return capsys.readouterr().out

    return run


def test_benchmark_counts_operations_from_the_configuration():
    work = Work(size=4, levels=1, depth=2, width=5, batch=3)
    # 2x2 positions of 12 channels: 3x3 convolution from 6, 1x1, 3x3 to 12; two steps, three images.
    multiply_adds = 4 * (9 * 6 * 5 + 5 * 5 + 9 * 5 * 12) * 2 * 3
    assert work.operations("log_prob") == 2 * multiply_adds
    assert work.operations("train_average") == 6 * multiply_adds
    for work in (PAPER, CELEBAHQ, SMALL):
        assert Work.from_json(work.to_json()) == work


def test_benchmark_scaling_line_and_plot(tmp_path):
    x, y = np.array([1.0, 2, 4]), np.array([5.0, 7, 11])
    np.testing.assert_allclose(scaling.line(x, y), (2, 3, 1), atol=1e-9)
    assert scaling.line(x, [5, 7, 20])[2] < 0.99
    series = {"K": {"seconds": {1: 5.0, 2: 7.0, 4: 11.0}, "slope": 2.0, "offset": 3.0}}
    scaling.draw(tmp_path / "new" / "scaling.png", series)
    assert (tmp_path / "new" / "scaling.png").stat().st_size > 1000


@pytest.mark.slow
def test_benchmark_measures_in_processes_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    process = race.Worker("numpy products", SMALL)
    assert process.versions == {"numpy": np.__version__} and len(process.run("products", 2)) == 2
    process.close()
    assert processes.result("feeding", "make", "npy", 8, 3, tmp_path) is None and (tmp_path / "images.npy").is_file()
    with pytest.raises(
        processes.ChildError, match="benchmarks.feeding make paint .* failed:(.*\n)*.*KeyError: 'paint'"
    ):
        processes.result("feeding", "make", "paint", 8, 3, tmp_path)


@pytest.mark.slow
def test_benchmark_parts_run_and_keep_their_results(run_benchmarks, tmp_path):
    pytest.importorskip("normflows", reason="the peers: pip install -r benchmarks/requirements.txt")
    out = run_benchmarks("--parts", "race", "--rounds", "1", "--peers", "normflows")
    assert "ahead of the fastest peer" in out
    out = run_benchmarks("--parts", "start", "large", "--rounds", "1", "--peers")
    assert "first call" in out
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) == {"race", "start", "large"}
    for task in ("train", "train_average", "log_prob", "sample"):
        assert all(seconds > 0 for seconds in results["race"]["figures"][task]["seconds"].values())
    assert results["large"]["training_mib"] > 0 and results["race"]["machine"]["cores"] >= 1


@pytest.mark.slow
def test_benchmark_names_a_failed_peer(run_benchmarks, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.parts.PRODUCTS", ("nobody",))
    with pytest.raises(SystemExit, match="^benchmarks: nobody failed:\n"):
        run_benchmarks("--peers")
    assert not (tmp_path / "results.json").exists()


def test_benchmark_checks_its_options_and_its_file_first(run_benchmarks, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_benchmarks("--peers", "nobody")
    assert "invalid choice: 'nobody'" in capsys.readouterr().err
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(SystemExit, match="^benchmarks: .*results.json is damaged .*; move it away.$"):
        run_benchmarks("--peers")
    inside_a_file = tmp_path / "results.json" / "folder"
    with pytest.raises(SystemExit, match=f"^benchmarks: Not a directory: {inside_a_file}$"):
        run_benchmarks("--peers", out=inside_a_file)


@pytest.mark.parametrize(("option", "value"), [("--forms", "xxla"), ("--dtypes", "float23"), ("--batches", "0")])
def test_gpu_benchmark_refuses_what_it_would_measure_under_a_wrong_name(option, value, capsys):
    with pytest.raises(SystemExit):
        gpu.parse([option, value], ["step"])
    assert f"{option}: " in capsys.readouterr().err


@pytest.mark.slow
def test_gpu_benchmark_writes_each_result_at_once(tmp_path):
    out = tmp_path / "new" / "results.jsonl"
    options = ["--small", "--calls", "1", "--batches", "2", "--depth", "1", "--dtypes", "float32", "--out", str(out)]
    gpu.main(["--parts", "rates", "step", "update", "--forms", "graph", *options])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row for row in rows if "error" in row] == []
    assert {row["part"] for row in rows} == {"rates", "step", "update"}
    assert all(row["card"] == gpu_parts.describe_card()["card"] and row["tensorflow"] for row in rows)
    assert {row["form"] for row in rows if row["part"] == "update"} == {"xla", "graph"}


def test_kernel_times_name_what_a_function_runs():
    @tf.function(autograph=False)
    def function():
        return tf.linalg.matmul(tf.random.normal([256, 256]), tf.random.normal([256, 256]))

    function()
    total, *kernels = kernel_times(function, calls=2)
    products = [row for row in kernels if "MatMul" in row["kernel"]]
    assert len(products) == 1 and products[0]["count"] == 1 and products[0]["ms"] > 0
    assert total["ms"] > 0 and total["kernels_ms"] == pytest.approx(sum(row["ms"] for row in kernels), abs=0.05)


def test_gpu_benchmark_goes_on_after_a_part_that_fails(tmp_path, monkeypatch, capsys):
    def failing(args):
        yield {"ms": 1.0}
        raise ValueError("out of memory")

    monkeypatch.setattr(gpu_parts, "PARTS", {"failing": failing, "rates": lambda args: iter([{"tflops": 2.0}])})
    gpu.main(["--out", str(tmp_path / "results.jsonl")])
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row.get("error") for row in rows] == [None, "ValueError: out of memory", None]


@pytest.mark.slow
def test_feeding_benchmark_measures_a_source(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "MAX_BYTES_IN_MEMORY", cache.MAX_BYTES_IN_MEMORY)  # which the benchmark changes
    feeding.make_files(tmp_path, feeding.pictures(80, 8))
    result = feeding.measure("folder, PNG", 8, tmp_path)
    assert min(result["first"], result["later"]) > 0
    assert result["cache_bytes"] >= 60 * 8 * 8 * 3
