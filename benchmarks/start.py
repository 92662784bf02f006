"""From the start of a process to its first finished training step, as `train.py` takes it, in parts.

`python -m benchmarks.start DEPTH` prints seconds as JSON: import; build (model, optimizer, average, data); the
initialisation from 256 images and the trace of the step, which run side by side (`both` is what passes); first call.
"""

import dataclasses
import json
import os
import pathlib
import sys
import tempfile

import numpy as np

from benchmarks.processes import since_start

BATCH = 16


def main(depth):
    os.environ["GLOW_TF_COMMAND"] = "1"  # as train.py begins
    from glow_tf import presets
    from glow_tf.config import DataConfig, RunOptions
    from glow_tf.training import devices, session
    from glow_tf.training.loop import Trainer

    imported = since_start()
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder) / "images.npy"
        np.save(images, np.random.default_rng(0).integers(0, 256, (512, 32, 32, 3), np.uint8))
        cifar10 = presets.get("cifar10")
        experiment = dataclasses.replace(
            cifar10,
            model=dataclasses.replace(cifar10.model, depth=depth),
            data=DataConfig(f"npy:{images}"),
            training=dataclasses.replace(cifar10.training, batch_size=BATCH),
        )
        options = RunOptions(run_dir=f"{folder}/run")
        trainer = Trainer(experiment, options, session.set_up(options))
        dataset = devices.distribute(trainer.strategy, trainer._training_part, BATCH)
        parts = {"import": imported, "build": since_start() - imported}
        trainer._initialize_from_data = timed(trainer._initialize_from_data, parts, "initialisation")
        trainer.step.trace = timed(trainer.step.trace, parts, "trace")
        timed(trainer._initialize, parts, "both")(dataset.element_spec)
        timed(first_call, parts, "first call")(trainer, dataset)
    parts["total"] = since_start()
    print(json.dumps({part: round(seconds, 2) for part, seconds in parts.items()}))


def first_call(trainer, dataset):
    """A training step, finished."""
    trainer.step(next(iter(dataset)))
    return trainer.state.steps


def timed(function, parts, part):
    """The function, whose seconds go to `parts`."""

    def run(*arguments):
        began = since_start()
        function(*arguments)
        parts[part] = since_start() - began

    return run


if __name__ == "__main__":
    main(int(sys.argv[1]))
