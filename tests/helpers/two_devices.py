"""Measure what needs two logical CPU devices, in a process of its own: devices are fixed by the first operation.

`python -m helpers.two_devices FOLDER` prints the result of each function below as JSON.
"""

import dataclasses
import itertools
import json
import pathlib
import sys

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
        TINY.training, epoch_steps=3, epochs=1, warmup_steps=0, schedule="constant", init_images=32
    ),
)


def main(folder):
    two, one = session.set_up(RunOptions(devices="2")), devices.strategy("cpu")
    results = {
        "wrong_batch": wrong_batch(folder / "wrong_batch", two),
        "validation": validation(folder / "validation", two, one),
        "bad_replica": bad_replica(folder / "bad_replica", two),
        "other_devices": other_devices(folder, two, one),
        "compiled": compiled(folder / "compiled", two, one),
        "evaluation": evaluation(folder / "evaluation"),
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
    run = Run(pathlib.Path(make_run(path)))
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


def other_devices(folder, two, one):
    """Train an epoch on one replica and a second on two, and both on one; return the steps before and after, and the
    largest difference of the weights."""
    steps = []
    for name, course in (("mixed", ((1, one), (2, two))), ("one", ((2, one),))):
        for epochs, strategy in course:
            experiment = dataclasses.replace(SHORT, training=dataclasses.replace(SHORT.training, epochs=epochs))
            trainer = Trainer(experiment, RunOptions(run_dir=str(folder / name)), strategy)
            trainer.restore()
            steps.append(trainer.state.steps)
            trainer.train()
    difference = largest(
        largest_difference(weights(folder / "mixed", which), weights(folder / "one", which))
        for which in ("last", "last_average")
    )
    return {"steps_before": steps, "steps_after": trainer.state.steps, "difference": difference}


def compiled(path, two, one):
    """Train an epoch compiled by XLA on two replicas, and as a plain graph on one; return the largest differences."""
    experiment = dataclasses.replace(SHORT, model=dataclasses.replace(SHORT.model, depth=2))
    trainer = Trainer(experiment, RunOptions(run_dir=str(path), jit_compile="on"), two)
    trainer.train()
    plain_path = path.with_name("compiled_plain")
    Trainer(experiment, RunOptions(run_dir=str(plain_path)), one).train()
    stacks = [stack for stacks in trainer.step.stacked.stacks.values() for stack in stacks]
    return {
        "from_plain": largest(
            largest_difference(weights(path, which), weights(plain_path, which)) for which in ("last", "last_average")
        ),
        "between_replicas": largest(
            float(np.max(np.abs(np.subtract(*map(np.asarray, two.experimental_local_results(stack))))))
            for stack in stacks
        ),
    }


def largest(values):
    """Return the largest of some numbers; NaN if any is NaN, of which Python's `max` depends on the order."""
    return float(np.max(list(values)))


def evaluation(path):
    """Measure bits/dim of single images on one device, and on two with the same and with an odd batch size."""
    path, values = make_run(path), []
    for devices_option, batch_size in (("cpu", 8), ("2", 16), ("2", 7)):
        context = open_context(TargetOptions(str(path), devices=devices_option))
        values.append(likelihood.measure(context, draws=2, batch_size=batch_size, limit=45).values.tolist())
    return values


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
