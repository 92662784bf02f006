"""Measure what needs two logical CPU devices, in a process of its own: devices are fixed by the first operation.

`python -m helpers.two_devices FOLDER PLAIN AFTER_ONE_EPOCH` prints the result of each function below as JSON. PLAIN is
the folder of a run that was trained on one replica, and AFTER_ONE_EPOCH that of its copy after one epoch.
"""

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
from glow_tf.training.agreement import Agreement
from glow_tf.training.trainer import Trainer
from glow_tf.training.validation import Validation
from helpers.tiny_runs import make_run
from helpers.tiny_trainings import change


def main(folder, plain, after_one_epoch):
    two, one = session.set_up(RunOptions(devices="2")), devices.strategy("cpu")
    tiny, (trainer, steps) = make_run(folder / "tiny", levels=1), resumed(after_one_epoch, two)
    results = {
        "devices": devices.describe(two),
        "wrong_batch": wrong_batch(folder / "wrong_batch", two),
        "validation": validation(tiny, two, one),
        "resumed": steps,
        "bad_replica": bad_replica(trainer),
        "compiled": compiled(folder / "compiled", plain, two),
        "evaluation": evaluation(tiny),
        "agreed": agreed(two),
    }
    print(json.dumps(results))


def wrong_batch(path, strategy):
    """Return the message for a batch size that two replicas do not divide."""
    try:
        Trainer(change(batch_size=15), RunOptions(run_dir=str(path)), strategy)
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


def resumed(path, strategy):
    """Train a run from its first epoch to its end on two replicas; return the trainer, and the steps before and
    after."""
    trainer = Trainer(Run(path).experiment(), RunOptions(run_dir=str(path)), strategy)
    trainer.restore()
    before = trainer.state.steps
    trainer.train()
    return trainer, [before, trainer.state.steps]


def bad_replica(trainer):
    """Take three more steps, the second with NaN noise on the second replica; return the weights and counters of both
    replicas after each step."""
    state, strategy, bad_step, after = trainer.state, trainer.strategy, trainer.state.steps + 1, []

    def part(*machine):
        def spoil(batch):
            bad = (batch["index"] // 16 == bad_step) & (batch["index"] % 16 >= 8)
            return {**batch, "noise": tf.where(bad[:, None, None, None], np.nan, batch["noise"])}

        return trainer.local_training_batches(*machine).map(spoil)

    def replicas(variable):
        return [v.numpy().tolist() for v in strategy.experimental_local_results(variable)]

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


def compiled(path, plain, strategy):
    """Train a run of one replica again, compiled by XLA on two; return the run folder, and the largest difference
    between the replicas."""
    trainer = Trainer(Run(plain).experiment(), RunOptions(run_dir=str(path), jit_compile="on"), strategy)
    trainer.train()
    stacks = [stack for stacks in trainer.step.stacked.stacks.values() for stack in stacks]
    differences = [np.subtract(*map(np.asarray, strategy.experimental_local_results(stack))) for stack in stacks]
    # NumPy's maximum is NaN if any number is; that of Python depends on their order.
    largest = float(np.max([np.max(np.abs(difference)) for difference in differences]))
    return {"run": str(path), "between_replicas": largest}


def evaluation(path):
    """Measure bits/dim of single images on one device, and on two with the same and with an odd batch size."""
    values = []
    for devices_option, batch_size in (("cpu", 8), ("2", 16), ("2", 7)):
        context = open_context(TargetOptions(str(path), devices=devices_option))
        values.append(likelihood.measure(context, draws=2, batch_size=batch_size, limit=45).values.tolist())
    return values


def agreed(strategy):
    """Return the number on which replicas agree that all hold 2, as if each were a machine."""
    agreement = Agreement(strategy, every=1)
    agreement.alone = False
    return agreement(2)


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
