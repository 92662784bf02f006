"""Every example runs as the README says."""

import subprocess
import sys

import pytest
from training.commands import ROOT, environment

EXPECTED = {
    "density_2d": ("nats a point", "density_2d.png"),
    "joint_inpainting": ("accepted", "inpainting.png"),
    "keras_fit": ("bits/dim", "digits.keras"),
}


def test_every_example_is_run():
    names = {p.stem for p in (ROOT / "examples").glob("*.py")}
    assert names == {*EXPECTED, "serve_client"}, "serve_client is run with an exported model, in test_export.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_runs(name, tmp_path):
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py")]
    done = subprocess.run(
        command, env=environment(PYTHONPATH=str(ROOT)), cwd=tmp_path, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    text, file = EXPECTED[name]
    assert text in done.stdout and (tmp_path / file).stat().st_size > 5000
