"""Test a small run of the script of the paper's figures: it trains, resumes, and reports the comparisons."""

import dataclasses
import gc
import json

import pytest

from experiments.paper_figures import report, significance, worker
from experiments.paper_figures.experiments import SIZES, all_runs
from experiments.paper_figures.results import Results, experiment_as_json
from glow_tf.errors import RunError
from helpers.commands import ROOT, run_fork

FOLDER = ROOT / "experiments" / "paper_figures"


def row(name, seed, value):
    curve = [9.0, value]
    return {"name": name, "seed": seed, "validation": curve, "validation_average": curve, "parameters": 1}


def rows(values, noise=0.01):
    return [row(name, s, v + noise * s * (i % 2)) for i, (name, v) in enumerate(values.items()) for s in range(3)]


def comparison(better, worse):
    pairs = [row("a", s, v) for s, v in enumerate(better)] + [row("b", s, v) for s, v in enumerate(worse)]
    return significance.compare(significance.final_values(pairs), "a", "b")


def test_paired_differences_decide_the_outcome():
    seeds_differ_more_than_pairs = [1.0, 2.0, 3.0], [1.1, 2.11, 3.09]
    assert comparison(*seeds_differ_more_than_pairs).outcome == significance.HOLDS
    assert comparison(*reversed(seeds_differ_more_than_pairs)).outcome == significance.REVERSED
    assert comparison([1.0, 2.0, 3.0], [1.5, 1.8, 3.1]).outcome == significance.NOT_SIGNIFICANT


def test_damaged_results_are_named(tmp_path):
    (tmp_path / "results.jsonl").write_text('{"name": "reverse"')
    with pytest.raises(RunError, match="results.jsonl is damaged .*; move it away"):
        Results(tmp_path / "results.jsonl")


def test_single_seed_decides_nothing():
    assert comparison([1.0], [2.0]).outcome == significance.NOT_SIGNIFICANT


def test_paper_figures_report_lists_reversed_inequalities():
    values = {"reverse additive": 3.0, "shuffle additive": 2.8, "1x1 additive": 2.5}
    values |= {"reverse affine": 2.9, "shuffle affine": 2.7, "1x1 affine": 2.4, "L=1 K=1": 2.0, "L=1 K=2": 1.5}
    assert "With raw weights, 7 of 7 inequalities hold at 95%.\n" in report.format_report(rows(values))
    values["1x1 affine"] = 2.8
    text = report.format_report(rows(values))
    assert "5 of 7 inequalities hold at 95%; reversed: 1x1 affine < shuffle affine, 1x1 affine < 1x1 additive." in text


def test_paper_figures_claims_of_the_ablation_and_of_depth():
    claims = significance.ablation_claims()
    assert len(claims) == 7 and ("1x1 affine", "shuffle affine") in claims and claims[-1][0] == "reverse affine"
    depth_claims = significance.depth_claims(["L=3 K=8", "L=3 K=4", "L=1 K=4", "L=2 K=4"])
    assert depth_claims == [("L=3 K=8", "L=3 K=4"), ("L=2 K=4", "L=1 K=4"), ("L=3 K=4", "L=2 K=4")]


def test_paper_figures_readme_matches_the_results():
    stored = [json.loads(line) for line in (FOLDER / "results.jsonl").read_text().splitlines()]
    text, paragraphs = (FOLDER / "README.md").read_text(), report.format_report(stored).strip().split("\n\n")
    assert len(paragraphs) == 7
    assert not [p for p in paragraphs if p not in text]


def test_paper_figures_runs_are_paired_by_seed():
    runs = all_runs(SIZES["tiny"], seeds=2)
    first, second = (
        {json.dumps(dataclasses.asdict(r.experiment.training)) for r in runs if r.seed == seed and r.steps == 2}
        for seed in (0, 1)
    )
    assert len(first) == len(second) == 1 and first != second


def test_paper_figures_results_are_matched_by_settings(tmp_path):
    runs = all_runs(SIZES["tiny"], seeds=2)
    results = Results(tmp_path / "results.jsonl")
    results.add({"name": runs[0].name, "seed": 0, "experiment": experiment_as_json(runs[0].experiment)})
    reloaded = Results(results.path)
    assert reloaded.missing(runs) == runs[1:]
    assert len(reloaded.missing(all_runs(SIZES["small"], seeds=1))) == 12


@pytest.mark.slow
def test_paper_figures_script_trains_missing_runs_and_draws(tmp_path, monkeypatch):
    results = Results(tmp_path / "results.jsonl")
    runs = all_runs(SIZES["tiny"], seeds=1)
    for run in runs[:6]:  # as if an earlier session had finished them
        curve = {key: [8.0] for key in ("validation", "validation_average")}
        experiment = experiment_as_json(run.experiment)
        results.add({**row(run.name, 0, 8.0), **curve, "steps": [2], "experiment": experiment})
    before = results.path.read_text()
    options = "--size tiny --seeds 1 --workers 1 --out".split()
    out, _ = run_fork("-m", "experiments.paper_figures", *options, tmp_path)
    assert "6 of 8 runs are finished" in out and "0 of 7 inequalities hold" in out
    assert results.path.read_text().startswith(before)
    for name in ("ablation", "depth", "samples_by_depth", "temperature"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    lost = runs[6]  # a finished run whose row was lost is not trained again
    trained = {row["name"]: row for row in Results(results.path).rows}
    monkeypatch.setattr(gc, "collect", lambda: None)  # of all that other tests have left
    assert worker.train(lost, tmp_path / "cells") == trained[lost.name]
