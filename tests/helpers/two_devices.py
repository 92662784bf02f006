"""Measure what needs two logical CPU devices, in a process of its own: devices are fixed by the first operation.

`python -m helpers.two_devices FOLDER` prints the result of each function below as JSON.
"""

import dataclasses
import itertools
import json
import pathlib
import shutil
import sys

import keras
import numpy as np
import tensorflow as tf

from glow_tf.config import RunOptions
from glow_tf.data import open_source, pipeline
from glow_tf.errors import ConfigError
from glow_tf.evaluation import likelihood
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.runs import Run
from glow_tf.training import devices, session
from glow_tf.training.trainer import Trainer
from glow_tf.training.validation import Validation
from helpers.commands import largest_difference, weights
from helpers.tiny_runs import TINY, make_run

SHORT = dataclasses.replace(
    TINY,
    training=dataclasses.replace(
        TINY.training, epoch_steps=3, epochs=2, warmup_steps=0, schedule="constant", init_images=32
    ),
)
TWO_STEPS_DEEP = dataclasses.replace(SHORT, model=dataclasses.replace(SHORT.model, depth=2))


def main(folder):
    two, one = session.set_up(RunOptions(devices="2")), devices.strategy("cpu")
    tiny, (plain_path, after_one_epoch) = make_run(folder / "tiny"), plain(folder / "plain", one)
    results = {
        "wrong_batch": wrong_batch(folder / "wrong_batch", two),
        "validation": validation(tiny, two, one),
        "bad_replica": bad_replica(folder / "bad_replica", two),
        "other_devices": other_devices(plain_path, after_one_epoch, two),
        "compiled": compiled(folder / "compiled", plain_path, two),
        "evaluation": evaluation(tiny),
    }
    print(json.dumps(results))


def wrong_batch(path, strategy):
    """Return the message for a batch size that two replicas do not divide."""
    experiment = dataclasses.replace(SHORT, training=dataclasses.replace(SHORT.training, batch_size=15))
    try:
        Trainer(experiment, RunOptions(run_dir=str(path)), strategy)
    except ConfigError as error:
        return str(error)


def validation(path, two, one):
    """Measure validation bits/dim of one model and noise for several batch sizes, on one replica and on two."""
    run = Run(path)
    data = run.experiment().data
    source = open_source(data, (8, 8, 1))
    bits = []
    for strategy, sizes in ((one, (7, 16)), (two, (16, 30))):
        with strategy.scope():
            model = run.model()
        for size in sizes:
            batches = pipeline.evaluation_batches(source, "test", data, image_shape=(8, 8, 1), batch_size=size, seed=0)
            dataset = devices.distribute(strategy, lambda *_, batches=batches: batches, size)
            bits.append(Validation(model, strategy)(dataset)["bits_x"])
    return bits


def bad_replica(path, strategy):
    """Take three steps, the second with NaN noise on the second replica; return the weights and counters of both
    replicas after each step."""
    trainer = Trainer(SHORT, RunOptions(run_dir=str(path)), strategy)
    trainer.initialize_from_data()

    def part(*machine):
        def spoil(batch):
            bad = (batch["index"] // 16 == 1) & (batch["index"] % 16 >= 8)
            return {**batch, "noise": tf.where(bad[:, None, None, None], np.nan, batch["noise"])}

        return trainer.local_training_batches(*machine).map(spoil)

    def replicas(variable):
        return [v.numpy().tolist() for v in strategy.experimental_local_results(variable)]

    state, after = trainer.state, []
    for batch in itertools.islice(devices.distribute(strategy, part, 16), 3):
        trainer.step(batch)
        after.append(
            {
                "weights": [replicas(v.value) for v in state.model.weights],
                "ema": [replicas(v) for v in state.ema.shadows],
                "iterations": replicas(state.optimizer.iterations.value),
                "step": replicas(state.counters.step),
                "skipped": replicas(state.counters.skipped),
                "bad_in_a_row": replicas(state.counters.bad_in_a_row),
            }
        )
    return after


def plain(path, strategy):
    """Train two epochs on one replica; return the path of the run, and that of its copy after the first epoch."""
    after_one_epoch = path.with_name("after_one_epoch")

    def copy(epoch, logs):
        if epoch == 0:
            shutil.copytree(path, after_one_epoch)

    trainer = Trainer(TWO_STEPS_DEEP, RunOptions(run_dir=str(path)), strategy)
    trainer.callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=copy)]
    trainer.train()
    return path, after_one_epoch


def other_devices(path, after_one_epoch, strategy):
    """Train the second epoch on two replicas; return the steps before and after, and the difference from one."""
    trainer = Trainer(TWO_STEPS_DEEP, RunOptions(run_dir=str(after_one_epoch)), strategy)
    trainer.restore()
    before = trainer.state.steps
    trainer.train()
    return {"steps": [before, trainer.state.steps], "difference": largest_difference_of_runs(after_one_epoch, path)}


def compiled(path, plain_path, strategy):
    """Train compiled by XLA on two replicas; return the largest differences from the plain graph on one, and between
    the replicas."""
    trainer = Trainer(TWO_STEPS_DEEP, RunOptions(run_dir=str(path), jit_compile="on"), strategy)
    trainer.train()
    stacks = [stack for stacks in trainer.step.stacked.stacks.values() for stack in stacks]
    return {
        "from_plain": largest_difference_of_runs(path, plain_path),
        "between_replicas": largest(
            float(np.max(np.abs(np.subtract(*map(np.asarray, strategy.experimental_local_results(stack))))))
            for stack in stacks
        ),
    }


def largest_difference_of_runs(a, b):
    return largest(largest_difference(weights(a, which), weights(b, which)) for which in ("last", "last_average"))


def largest(values):
    """Return the largest of some numbers; NaN if any is NaN, of which Python's `max` depends on the order."""
    return float(np.max(list(values)))


def evaluation(path):
    """Measure bits/dim of single images on one device, and on two with the same and with an odd batch size."""
    values = []
    for devices_option, batch_size in (("cpu", 8), ("2", 16), ("2", 7)):
        context = open_context(TargetOptions(str(path), devices=devices_option))
        values.append(likelihood.measure(context, draws=2, batch_size=batch_size, limit=45).values.tolist())
    return values


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
