"""Test a small run of the script of the paper's figures: it trains, resumes, and reports what came out."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from docs.figures import cells, verdict

ROOT = pathlib.Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"


def row(name, seed, value):
    curve = [9.0, value]
    return {"name": name, "seed": seed, "validation": curve, "validation_average": curve, "parameters": 1}


def rows(values, noise=0.01):
    return [row(name, s, v + noise * s * (i % 2)) for i, (name, v) in enumerate(values.items()) for s in range(3)]


def comparison(better, worse):
    made = [row("a", s, v) for s, v in enumerate(better)] + [row("b", s, v) for s, v in enumerate(worse)]
    return verdict.compare(verdict.last_values(made), "a", "b")


def test_paired_differences_decide_the_verdict():
    assert comparison([1.0, 2.0, 3.0], [1.1, 2.11, 3.09]).outcome == verdict.HOLDS  # seeds differ more than the pairs
    assert comparison([1.1, 2.11, 3.09], [1.0, 2.0, 3.0]).outcome == verdict.REVERSED
    assert comparison([1.0, 2.0, 3.0], [1.5, 1.8, 3.1]).outcome == verdict.NOISE
    assert comparison([1.0], [2.0]).outcome == verdict.NOISE  # one seed decides nothing


def test_figures_report_lists_reversed_inequalities():
    values = {"reverse additive": 3.0, "shuffle additive": 2.8, "1x1 additive": 2.5}
    values |= {"reverse affine": 2.9, "shuffle affine": 2.7, "1x1 affine": 2.4, "L=1 K=1": 2.0, "L=1 K=2": 1.5}
    assert "7 of 7 inequalities come out: the whole order." in verdict.report(rows(values))
    values["1x1 affine"] = 2.8
    text = verdict.report(rows(values))
    assert "5 of 7 inequalities come out; the other way round: 1x1 affine < shuffle affine, 1x1 affine < 1x1" in text


def test_figures_claims_of_the_ablation_and_of_depth():
    claims = verdict.ablation_claims()
    assert len(claims) == 7 and ("1x1 affine", "shuffle affine") in claims and claims[-1][0] == "reverse affine"
    depth_claims = verdict.depth_claims(["L=3 K=8", "L=3 K=4", "L=1 K=4", "L=2 K=4"])
    assert depth_claims == [("L=3 K=8", "L=3 K=4"), ("L=2 K=4", "L=1 K=4"), ("L=3 K=4", "L=2 K=4")]


def test_figures_readme_matches_the_results():
    committed = [json.loads(line) for line in (FIGURES / "results.jsonl").read_text().splitlines()]
    text, paragraphs = (FIGURES / "README.md").read_text(), verdict.report(committed).strip().split("\n\n")
    assert len(paragraphs) == 7
    assert not [p for p in paragraphs if p not in text]


def test_figures_cells_are_paired_by_seed_and_matched_by_settings(tmp_path):
    cell_list = cells.all_cells(cells.SIZES["tiny"], seeds=2)
    first, second = (
        {json.dumps(dataclasses.asdict(c.experiment.training)) for c in cell_list if c.seed == seed and c.steps == 2}
        for seed in (0, 1)
    )
    assert len(first) == len(second) == 1 and first != second
    results = cells.Results(tmp_path / "results.jsonl")
    results.add({"name": cell_list[0].name, "seed": 0, "experiment": cells.as_json(cell_list[0].experiment)})
    again = cells.Results(results.path)
    assert again.missing(cell_list) == cell_list[1:]
    assert len(again.missing(cells.all_cells(cells.SIZES["small"], seeds=1))) == 12


@pytest.mark.slow
def test_figures_script_trains_missing_cells_and_draws(tmp_path):
    results = cells.Results(tmp_path / "results.jsonl")
    cell_list = cells.all_cells(cells.SIZES["tiny"], seeds=1)
    for cell in cell_list[:5]:  # of an earlier run
        kept = row(cell.name, 0, 8.0)
        curve = {key: [8.0] for key in ("validation", "validation_average")}
        results.add({**kept, **curve, "steps": [2], "experiment": cells.as_json(cell.experiment)})
    before = results.path.read_text()
    done = subprocess.run(
        [sys.executable, "-m", "docs.figures", *"--size tiny --seeds 1 --workers 1 --out".split(), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 8 cells are finished" in done.stdout and "0 of 7 inequalities come out" in done.stdout
    assert results.path.read_text().startswith(before)
    for name in ("ablation", "depth", "samples_by_depth", "temperature"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    lost = cell_list[-1]  # a finished run whose row was lost is not trained again
    trained = {row["name"]: row for row in cells.Results(results.path).rows}
    assert cells.train(lost, tmp_path / "cells") == trained[lost.name]
