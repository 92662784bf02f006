"""Train a run to its end through many kills.

`python -m helpers.killed_runs FOLDER DEVICES EPOCHS EVERY RANDOM` prints JSON. With EVERY of n, each n-th of the named
moments is taken, and then so many random ones.
This process imports TensorFlow and never starts its runtime. Each attempt to train is a fork of it, which spares the
import, and ends by SIGKILL: a real process with real files. Steps are computed eagerly, which spares tracing them, and
no figures are drawn.
"""

import functools
import json
import os
import pathlib
import random
import signal
import sys
import threading
from typing import NamedTuple

import tensorflow as tf

from glow_tf import sealed_weights
from glow_tf.cli import train
from glow_tf.metrics_table import MetricsTable
from glow_tf.training import session
from glow_tf.training.checkpoints import Checkpoints
from glow_tf.training.step import TrainingStep

OPTIONS = """--levels 1 --depth 1 --width 8 --batch-size 16 --init-images 32 --validation 0.01 --warmup-steps 3
--epoch-steps 3 --deterministic --checkpoint-minutes 1e-6""".split()


class Moment(NamedTuple):
    """A moment in the work of a process: seconds after an event happened so many times."""

    event: str
    count: int = 1
    delay: float = 0.0


NAMED = [
    Moment("move config.json"),
    Moment("checkpoint"),  # the very first one
    Moment("step"),
    Moment("checkpoint", 2, 0.003),  # while TensorFlow writes it
    Moment("checkpoint", 1, 0.01),
    Moment("move best.weights.h5"),
    Moment("seal"),  # of the first weights file, which is complete but for its digest
    Moment("moved last_average.weights.h5"),
    Moment("moved metrics.csv"),  # the table is ahead of the checkpoint
    Moment("move best_average.weights.h5"),
    Moment("cut back"),
    Moment("move metrics.csv"),
    Moment("restore"),
    Moment("leftovers", 1, 0.0005),
]
"""Moments of one run, in this order."""

RANDOM_EVENTS = ("restore", "leftovers", "step", "step", "checkpoint", "checkpoint", "seal", "append")


def random_moments(count, seed):
    """Draw moments, of which each lets a process take a few steps at most."""
    draw = random.Random(seed)
    return [Moment(draw.choice(RANDOM_EVENTS), draw.choice((1, 1, 2)), draw.uniform(0, 0.03)) for _ in range(count)]


class KillSwitch:
    """Ends this process by SIGKILL at a moment."""

    def __init__(self, moment):
        self.moment, self.counts = moment, {}

    def happens(self, event):
        self.counts[event] = self.counts.get(event, 0) + 1
        if (event, self.counts[event]) == self.moment[:2]:
            if self.moment.delay:
                threading.Timer(self.moment.delay, self.kill).start()
            else:
                self.kill()

    def kill(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner, name, event):
        """Let the event happen before each call of a function."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def watched(*args, **kwargs):
            self.happens(event)
            return function(*args, **kwargs)

        setattr(owner, name, watched)

    def install(self):
        self.before(Checkpoints, "restore", "restore")
        self.before(Checkpoints, "remove_leftovers", "leftovers")
        self.before(Checkpoints, "save", "checkpoint")
        self.before(TrainingStep, "__call__", "step")
        self.before(sealed_weights, "seal", "seal")
        self.before(MetricsTable, "cut_back", "cut back")
        self.before(MetricsTable, "append", "append")
        replace = os.replace

        def moved(source, target, **options):
            self.happens(f"move {os.path.basename(target)}")
            replace(source, target, **options)
            self.happens(f"moved {os.path.basename(target)}")

        os.replace = moved


def attempt(run_dir, options, moment=None):
    """Train in a process of its own until the moment; return its wait status."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    with open(run_dir.with_name(f"{run_dir.name}.log"), "a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    code = 1
    try:
        tf.config.run_functions_eagerly(True)
        TrainingStep.trace = session._draw = lambda *_, **__: None
        if moment is not None:
            KillSwitch(moment).install()
        code = train.main([*OPTIONS, *options, "--run-dir", str(run_dir)])
    finally:
        os._exit(code)


def leftovers(run_dir):
    """Return what a kill left: the lock, and unfinished files by the names that they were to get."""
    names = [path.name for path in run_dir.rglob("*") if "temp" in path.name or path.name.startswith(".")]
    return sorted({name.split(".", 2)[-1] if name.startswith(".") else "checkpoint" for name in names})


def main(folder, devices, epochs, every, count):
    """Train a run without a kill and one with many; print what the kills left, and the exit codes."""
    options, moments = ["--devices", devices, "--epochs", epochs], [*NAMED[::every], *random_moments(count, seed=17)]
    whole, killed = folder / "whole", folder / "killed"
    results = {"whole": attempt(whole, options), "kills": []}
    for moment in moments:
        status = attempt(killed, options, moment)
        steps = [int(path.name.split("-")[1].split(".")[0]) for path in killed.glob("checkpoints/ckpt-*.index")]
        results["kills"].append({"status": status, "step": max(steps, default=-1), "leftovers": leftovers(killed)})
    results["end"] = attempt(killed, options)
    print(json.dumps(results))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:4], *map(int, sys.argv[4:]))
