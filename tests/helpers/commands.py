"""Run commands in processes as a user does, or in forks or in this process, which spares their imports."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

import h5py
import numpy as np
import pytest

from glow_tf.cli import train as train_command
from glow_tf.cli.command import run_command
from helpers.forks import ROOT, Fork

SMALL = """--levels 1 --depth 2 --width 8 --batch-size 16 --init-images 32 --epoch-steps 6 --epochs 3 --warmup-steps 3
--schedule constant --validation 0.02""".split()
"""Options of a model and a training that take a second, on the default preset's digits."""


def command(*options):
    return [sys.executable, str(ROOT / "train.py"), *map(str, options)]


def environment(**variables):
    """Return environment variables that hide GPUs, so that runs are comparable, and hide no message of TensorFlow.

    XLA compiles as it does for a user, not as `conftest.py` sets it for the process of the tests.
    """
    own = ("TF_CPP_MIN_LOG_LEVEL", "XLA_FLAGS")
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return {**inherited, "CUDA_VISIBLE_DEVICES": "-1", **variables}


def run_python(*words, code=0, timeout=300, **variables):
    """Run `python WORDS` to the end; check the exit code and that there is no traceback; return (stdout, stderr).

    Args:
        words: words of the command line after `python`.
        code: the exit code to expect.
        timeout: seconds after which the process is ended.
        variables: environment variables to set.
    """
    command, env = [sys.executable, *map(str, words)], environment(**variables)
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    return checked(done.stdout, done.stderr, done.returncode, code)


def run_fork(*words, code=0, timeout=300, cwd=ROOT, **variables):
    """Run `python WORDS` as `run_python` does, in a folder, as a fork of a process that has imported the library."""
    process = Fork([sys.executable, *words], environment(**variables), cwd)
    return checked(*process.communicate(timeout), process.returncode, code)


def start_demo(run):
    """Start the page's command on a run in a fork, on a free port; return its process and the address of the page."""
    process = Fork([sys.executable, "-m", "glow_tf.demo", run, "--port", "0", "--no-browser"], environment())
    while "(Ctrl-C ends it)" not in process.output()[0]:
        assert process.poll() is None, process.output()
        time.sleep(0.02)
    return process, process.output()[0].partition("the page: ")[2].split()[0]


def checked(out, err, returncode, code):
    """Check how a process has ended; return its outputs."""
    assert returncode == code, out + err
    assert "Traceback" not in err, err
    return out, err


def train_in_fork(*options, code=0):
    """Run train.py in a fork; see `run_fork`."""
    return run_fork(ROOT / "train.py", *options, code=code)


def call(main, name, *options, code=0):
    """Run a command's `main` in this process, as `python NAME OPTIONS` does; check the exit code; return (stdout,
    stderr).

    For tests of the work of a command, not of its process. Before each test, `conftest.py` resets the state of
    TensorFlow that a command sets.
    """
    format_warning = warnings.formatwarning
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            run_command(main, name, [str(option) for option in options])
    finally:
        warnings.formatwarning = format_warning
    assert (end.value.code or 0) == code, out.getvalue() + err.getvalue()
    return out.getvalue(), err.getvalue()


def call_train(*options, code=0):
    """Run train.py's command in this process, on one CPU; check the exit code; return (stdout, stderr)."""
    assert "--deterministic" not in options, "op determinism cannot be switched off again: use `train_in_fork`"
    return call(train_command.main, train_command.NAME, *options, "--devices", "cpu", code=code)


def numbers(folder, name):
    """Read the numbers that a command wrote as JSON, which knows no NaN."""
    return json.loads((folder / name).read_text(), parse_constant=pytest.fail)


def weights(run_dir, name="last"):
    """Read all weights of a run's weights file, by path."""
    arrays = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            arrays[path] = np.asarray(item)

    with h5py.File(pathlib.Path(run_dir) / "weights" / f"{name}.weights.h5") as file:
        file.visititems(visit)
    assert arrays
    return arrays


def largest_difference(a, b):
    """Return the largest difference of arrays of the same names and shapes; NaN if any is NaN."""
    assert a.keys() == b.keys() and all(a[k].shape == b[k].shape for k in a)
    return float(np.max([np.max(np.abs(a[k].astype(float) - b[k]), initial=0) for k in a]))
