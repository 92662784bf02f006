"""Test that every example runs as the README says."""

import runpy
import sys

import pytest

from helpers.commands import ROOT

EXPECTED = {
    "density_2d": ("nats a point", "density_2d.png"),
    "joint_inpainting": ("accepted", "inpainting.png"),
    "keras_fit": ("bits/dim", "digits.keras"),
}


def test_every_example_has_a_test():
    names = {p.stem for p in (ROOT / "examples").glob("*.py")}
    assert names == {*EXPECTED, "serve_client"}, "serve_client is run with an exported model, in test_export.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_example_runs_and_writes_its_file(name, tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = ROOT / "examples" / f"{name}.py"
    # In-painting takes a trained run, and trains a model of its own only where none is given.
    monkeypatch.setattr(sys, "argv", [str(path), *([str(tiny_run)] if name == "joint_inpainting" else [])])
    runpy.run_path(str(path), run_name="__main__")
    text, file = EXPECTED[name]
    assert text in capsys.readouterr().out and (tmp_path / file).stat().st_size > 5000
