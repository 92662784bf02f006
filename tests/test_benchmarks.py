"""Test that the benchmark runs; its measurements need `python -m benchmarks` on a quiet machine."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import feeding, scaling
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import parts as gpu_parts
from benchmarks.work import CELEBAHQ, PAPER, SMALL, Work
from glow_tf.data import cache
from helpers.commands import ROOT, environment


def run_benchmarks(*options, code=0):
    """Run `python -m benchmarks`; check the exit code and that there is no traceback; return stdout and stderr."""
    command = [sys.executable, "-m", "benchmarks", *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


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
def test_benchmark_parts_run_and_keep_their_results(tmp_path):
    pytest.importorskip("normflows", reason="the peers: pip install -r benchmarks/requirements.txt")
    out = run_benchmarks("--small", "--parts", "race", "--rounds", 1, "--peers", "normflows", "--out", tmp_path)
    assert "ahead of the fastest peer" in out
    out = run_benchmarks("--small", "--parts", "start", "large", "--rounds", 1, "--peers", "--out", tmp_path)
    assert "first call" in out
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) == {"race", "start", "large"}
    for task in ("train", "train_average", "log_prob", "sample"):
        assert all(seconds > 0 for seconds in results["race"]["figures"][task]["seconds"].values())
    assert results["large"]["training_mib"] > 0 and results["race"]["machine"]["cores"] >= 1


@pytest.mark.slow
def test_benchmark_names_a_failed_peer(tmp_path):
    out = run_benchmarks("--small", "--peers", "nobody", "--out", tmp_path, code=1)
    assert "benchmarks: nobody failed" in out and not (tmp_path / "results.json").exists()


@pytest.mark.slow
def test_gpu_benchmark_writes_each_result_at_once(tmp_path):
    out = tmp_path / "new" / "results.jsonl"
    options = ["--small", "--calls", "1", "--batches", "2", "--depth", "1", "--dtypes", "float32", "--out", str(out)]
    gpu.main(["--parts", "rates", "step", "update", "--forms", "graph", *options])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row for row in rows if "error" in row] == []
    assert {row["part"] for row in rows} == {"rates", "step", "update"}
    assert all(row["card"] == "CPU" and row["tensorflow"] for row in rows)
    assert {row["form"] for row in rows if row["part"] == "update"} == {"xla", "graph"}


def test_gpu_benchmark_goes_on_after_a_part_that_fails(tmp_path, monkeypatch, capsys):
    def failing(args):
        yield {"ms": 1.0}
        raise ValueError("out of memory")

    monkeypatch.setattr(gpu_parts, "PARTS", {"failing": failing, "rates": lambda args: iter([{"tflops": 2.0}])})
    gpu.main(["--out", str(tmp_path / "results.jsonl")])
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row.get("error") for row in rows] == [None, "ValueError: out of memory", None]


def test_feeding_benchmark_measures_a_source(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "MAX_BYTES_IN_MEMORY", cache.MAX_BYTES_IN_MEMORY)  # which the benchmark changes
    feeding.make_files(tmp_path, feeding.pictures(80, 8))
    result = feeding.measure("folder, PNG", 8, tmp_path)
    assert min(result["first"], result["later"]) > 0
    assert result["cache_bytes"] >= 60 * 8 * 8 * 3
