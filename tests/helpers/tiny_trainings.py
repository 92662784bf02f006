"""Make trainers of tiny trainings that compute."""

import dataclasses

from glow_tf.config import RunOptions
from glow_tf.training import devices
from glow_tf.training.trainer import Trainer
from helpers.tiny_runs import TINY


def trainer(path, experiment=TINY, **options):
    """Make a trainer of an experiment in a run folder, on the CPU."""
    return Trainer(experiment, RunOptions(run_dir=str(path), **options), devices.strategy("cpu"))


def change(**training):
    """Return `TINY` with other values of its training."""
    return dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, **training))


def options(path):
    """Return the options of a training in a run folder, on the CPU."""
    return RunOptions(run_dir=str(path), devices="cpu")
