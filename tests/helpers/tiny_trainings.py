"""Make trainers of tiny trainings that compute, and compare their runs."""

import csv
import dataclasses
import shutil

import keras
import pytest

from glow_tf.cli import train
from glow_tf.config import RunOptions
from glow_tf.training import session
from glow_tf.training.trainer import Trainer
from helpers.commands import largest_difference, weights
from helpers.tiny_runs import TINY


def trainer(path, experiment=TINY, **changes):
    """Make a trainer of an experiment in a run folder, on the CPU, as the command does."""
    run_options = dataclasses.replace(options(path), **changes)
    return Trainer(experiment, run_options, session.set_up(run_options))


def train_with_a_copy(path, words):
    """Train by the words of a command line; return the run folder, and its copy after the first epoch."""
    after_one_epoch = path.with_name("after_one_epoch")

    def copy(epoch, logs):
        if epoch == 0:
            shutil.copytree(path, after_one_epoch)

    one = trainer(path, train.parse(words)[0])
    one.callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=copy)]
    one.train()
    return path, after_one_epoch


def assert_same_run(a, b):
    """Check that two runs have the same weights and metrics, up to rounding."""
    for name in ("last", "best", "last_average", "best_average"):
        assert largest_difference(weights(a, name), weights(b, name)) < 1e-5, name
    tables = [list(csv.DictReader((run / "metrics.csv").read_text().splitlines())) for run in (a, b)]
    assert tables[0]
    for rows in zip(*tables, strict=True):
        for key in ("bits_x", "val_bits_x", "val_bits_x_average", "grad_norm"):
            assert float(rows[0][key]) == pytest.approx(float(rows[1][key]), rel=1e-4), key


def change(**training):
    """Return `TINY` with other values of its training."""
    return dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, **training))


def options(path):
    """Return the options of a training in a run folder, on the CPU."""
    return RunOptions(run_dir=str(path), devices="cpu")
