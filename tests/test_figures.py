"""The script of the paper's figures, small: it runs, goes on where it was, and says what came out."""

import os
import pathlib
import subprocess
import sys

import pytest

from docs.figures import verdict

ROOT = pathlib.Path(__file__).parents[1]


def row(name, seed, value):
    return {"name": name, "seed": seed, "validation": [9.0, value], "parameters": 1}


def rows(values, noise=0.01):
    return [row(name, s, v + noise * s * (i % 2)) for i, (name, v) in enumerate(values.items()) for s in range(3)]


def comparison(better, worse):
    made = [row("a", s, v) for s, v in enumerate(better)] + [row("b", s, v) for s, v in enumerate(worse)]
    return verdict.compare(verdict.last_values(made), "a", "b")


def test_outcomes_of_paired_differences():
    assert comparison([1.0, 2.0, 3.0], [1.1, 2.11, 3.09]).outcome == verdict.HOLDS  # seeds differ more than the pairs
    assert comparison([1.1, 2.11, 3.09], [1.0, 2.0, 3.0]).outcome == verdict.REVERSED
    assert comparison([1.0, 2.0, 3.0], [1.5, 1.8, 3.1]).outcome == verdict.NOISE
    assert comparison([1.0], [2.0]).outcome == verdict.NOISE  # one seed says nothing


def test_the_report_says_what_did_not_come_out():
    values = {"reverse additive": 3.0, "shuffle additive": 2.8, "1x1 additive": 2.5}
    values |= {"reverse affine": 2.9, "shuffle affine": 2.7, "1x1 affine": 2.4, "L=1 K=1": 2.0, "L=1 K=2": 1.5}
    assert "7 of 7 inequalities come out: the whole order." in verdict.report(rows(values))
    values["1x1 affine"] = 2.8
    text = verdict.report(rows(values))
    assert "5 of 7 inequalities come out; the other way round: 1x1 affine < shuffle affine, 1x1 affine < 1x1" in text


@pytest.mark.slow
def test_the_script_runs_and_goes_on(tmp_path):
    def run(seeds):
        command = [sys.executable, "-m", "docs.figures", "--size", "tiny", "--seeds", seeds, "--out", tmp_path / "out"]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "0 of 8 cells are finished" in run(1)
    for name in ("ablation", "depth", "samples_by_depth", "temperature"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 1000
    kept = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    (tmp_path / "out" / "results.jsonl").write_text("\n".join(kept[:-1]) + "\n")
    out = run(1)
    assert "7 of 8 cells are finished" in out and "inequalities come out" in out
