"""What needs two logical CPU devices; a program, because a process fixes its devices before its first operation.

Prints JSON: for each function below what it found.
"""

import dataclasses
import itertools
import json
import pathlib
import sys

import numpy as np
import runs_for_tests
import tensorflow as tf
from runs_for_tests import TINY
from training.commands import largest_difference, weights

from glow_tf.config import RunOptions
from glow_tf.data import open_source, pipeline
from glow_tf.runs import Run
from glow_tf.training import devices, session
from glow_tf.training.loop import Trainer
from glow_tf.training.step import Validation

SHORT = dataclasses.replace(
    TINY,
    training=dataclasses.replace(
        TINY.training, epoch_steps=3, epochs=1, warmup_steps=0, schedule="constant", init_images=32
    ),
)


def main(folder):
    two, one = session.set_up(RunOptions(devices="2")), devices.strategy("cpu")
    found = {
        "validation": validation(folder / "validation", two, one),
        "bad_replica": bad_replica(folder / "bad_replica", two),
        "other_devices": other_devices(folder, two, one),
    }
    print(json.dumps(found))


def validation(path, two, one):
    """Validation bits/dim of the same model and noise for several batch sizes, on one replica and on two."""
    run = Run(pathlib.Path(runs_for_tests.make(path)))
    data = run.experiment().data
    source = open_source(data, (8, 8, 1))
    found = []
    for strategy, sizes in ((one, (7, 16)), (two, (16, 30))):
        with strategy.scope():
            model = run.model()
        for size in sizes:
            batches = pipeline.evaluation_batches(source, "test", data, image_shape=(8, 8, 1), batch_size=size, seed=0)
            dataset = devices.distribute(strategy, lambda *_, batches=batches: batches, size)
            found.append(Validation(model, strategy)(dataset)["bits_x"])
    return found


def bad_replica(path, strategy):
    """Three steps, in the second of which the noise of the second replica is NaN: after each step the weights and
    counters, for both replicas."""
    trainer = Trainer(SHORT, RunOptions(run_dir=str(path)), strategy)
    trainer._initialize_from_data()

    def part(*machine):
        def spoil(batch):
            bad = (batch["index"] // 16 == 1) & (batch["index"] % 16 >= 8)
            return {**batch, "noise": tf.where(bad[:, None, None, None], np.nan, batch["noise"])}

        return trainer._training_part(*machine).map(spoil)

    def replicas(variable):
        return [v.numpy().tolist() for v in strategy.experimental_local_results(variable)]

    state, after = trainer.state, []
    for batch in itertools.islice(devices.distribute(strategy, part, 16), 3):
        trainer.step(batch)
        after.append(
            {
                "weights": [replicas(v.value) for v in state.model.weights],
                "averages": [replicas(v) for v in state.average.shadows],
                "iterations": replicas(state.optimizer.iterations.value),
                "step": replicas(state.counters.step),
                "skipped": replicas(state.counters.skipped),
                "bad_in_a_row": replicas(state.counters.bad_in_a_row),
            }
        )
    return after


def other_devices(folder, two, one):
    """An epoch on one replica and a second on two, against both on one: the steps taken before and after, and the
    largest difference of the weights."""
    steps = []
    for name, course in (("mixed", ((1, one), (2, two))), ("one", ((2, one),))):
        for epochs, strategy in course:
            experiment = dataclasses.replace(SHORT, training=dataclasses.replace(SHORT.training, epochs=epochs))
            trainer = Trainer(experiment, RunOptions(run_dir=str(folder / name)), strategy)
            trainer.restore()
            steps.append(trainer.state.steps)
            trainer.train()
    difference = max(
        largest_difference(weights(folder / "mixed", which), weights(folder / "one", which))
        for which in ("last", "last_average")
    )
    return {"steps_before": steps, "steps_after": trainer.state.steps, "difference": difference}


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
