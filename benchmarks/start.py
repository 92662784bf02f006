"""Time from the start of a process to the first finished training step of `train.py`, in parts.

`python -m benchmarks.start DEPTH` prints seconds as JSON: import; build (model, optimizer, EMA, data); initialization
from 256 images and trace of the step, which run side by side (`both` is their wall time); first call.
"""

import dataclasses
import json
import pathlib
import sys
import tempfile

import numpy as np

from benchmarks.processes import since_start

GLOW_TF_COMMAND = True  # a quiet start, as of train.py, see glow_tf/cli/quiet.py

BATCH = 16
IMAGES = 512


def main(depth):
    """Start a training of the `cifar10` preset at another depth K, and print the seconds of the parts."""
    from glow_tf import presets
    from glow_tf.cli.command import start_tensorflow
    from glow_tf.config import DataConfig, RunOptions

    start_tensorflow()  # as train.py
    from glow_tf.training import session
    from glow_tf.training.trainer import Trainer

    imported = since_start()
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder) / "images.npy"
        np.save(images, np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), np.uint8))
        cifar10 = presets.get("cifar10")
        experiment = dataclasses.replace(
            cifar10,
            model=dataclasses.replace(cifar10.model, depth=depth),
            data=DataConfig(f"npy:{images}"),
            training=dataclasses.replace(cifar10.training, batch_size=BATCH),
        )
        options = RunOptions(run_dir=f"{folder}/run")
        trainer = Trainer(experiment, options, session.set_up(options))
        parts = {"import": imported, "build": since_start() - imported}
        batches = iter(trainer.prepare())
        parts |= {part: trainer.start_seconds[part] for part in ("initialization", "trace", "both")}
        prepared = since_start()
        trainer.step(next(batches))
        assert trainer.state.steps == 1  # reading it waits for the step
        parts["first call"] = since_start() - prepared
    parts["total"] = since_start()
    print(json.dumps({part: round(seconds, 2) for part, seconds in parts.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
