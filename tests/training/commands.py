"""Runs train.py as a person would, in a process of its own."""

import os
import pathlib
import subprocess
import sys

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).parents[2]

SMALL = "--levels 1 --depth 1 --width 8 --batch-size 16 --epoch-steps 6 --epochs 3 --warmup-steps 3".split()
"""A model and a course of training that take a second, on the default preset's digits."""


def command(*options):
    return [sys.executable, str(ROOT / "train.py"), *map(str, options)]


def environment(**variables):
    """Without a GPU, so that two runs on any machine are comparable, and with nothing that would make them quiet."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return {**inherited, "CUDA_VISIBLE_DEVICES": "-1", **variables}


def train(*options, code=0, **variables):
    """Runs to the end; checks the exit code; returns (stdout, stderr)."""
    done = subprocess.run(
        command(*options), env=environment(**variables), cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, done.stderr


def weights(run_dir, name="last"):
    """All weights of a run's weights file, by path."""
    found = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            found[path] = np.asarray(item)

    with h5py.File(pathlib.Path(run_dir) / "weights" / f"{name}.weights.h5") as file:
        file.visititems(visit)
    assert found
    return found


def largest_difference(a, b):
    assert a.keys() == b.keys()
    return max(float(np.max(np.abs(a[k].astype(float) - b[k]), initial=0)) for k in a)
