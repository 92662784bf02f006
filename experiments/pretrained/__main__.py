"""Put the weights of a run into the package: `python -m experiments.pretrained RUN PRESET`.

Writes `glow_tf/presets/weights/PRESET.weights.h5` and `PRESET.json`, which says how the weights were trained and which
bits/dim they reach; `tests/test_model_files.py` checks that they do.
"""

import json
import sys

import numpy as np

from glow_tf import presets
from glow_tf.data import open_source, pipeline
from glow_tf.evaluation import likelihood
from glow_tf.evaluation.context import TargetOptions, open_context
from glow_tf.io import write_text
from glow_tf.metrics_table import MetricsTable
from glow_tf.model_files import PACKAGED_WEIGHTS
from glow_tf.quantization import bits_per_dim
from glow_tf.runs import EMA_SUFFIX, Run

CHECKED_IMAGES = 32
"""Test images whose bits/dim, at the middle of each bin, are written for the test."""


def main(run_dir, name):
    """Write the better of the raw and the EMA weights of a run, by validation.

    Args:
        run_dir: path of the run folder.
        name: name of the preset, whose model the run has.
    """
    run, preset = Run.open(run_dir), presets.get(name)
    experiment = run.experiment()
    assert experiment.model == preset.model, "the run has another model than the preset"
    epoch, ema = best_epoch(run)
    context = open_context(TargetOptions(str(run.path), ema=ema))
    PACKAGED_WEIGHTS.mkdir(exist_ok=True)
    context.model.save_weights(PACKAGED_WEIGHTS / f"{name}.weights.h5")
    card = {
        "weights": "EMA" if ema else "raw",
        "trained": {
            "epoch": int(epoch["epoch"]),
            "steps": int(epoch["step"]),
            "images": int(epoch["images"]),
            "options": f"--preset {name} --epochs {experiment.training.epochs} "
            f"--epoch-steps {experiment.training.epoch_steps}",
        },
        "test": likelihood.measure(context, draws=4).to_dict(),
        "first_test_images": {
            "count": CHECKED_IMAGES,
            "bits_per_dim": mean_bits_per_dim(context.model, first_test_images(preset)),
        },
        "data": context.source.credits or context.source.name,
        "license": "MIT",
    }
    text = json.dumps(card, indent=2)
    write_text(PACKAGED_WEIGHTS / f"{name}.json", f"{text}\n")
    print(text)


def best_epoch(run):
    """Return the row of the metrics with the best validation, and whether the EMA weights reached it."""
    rows = [row for row in MetricsTable(run.metrics_path).rows() if row.get("val_bits_x") is not None]
    losses = {(i, ema): row[f"val_bits_x{EMA_SUFFIX * ema}"] for i, row in enumerate(rows) for ema in (False, True)}
    i, ema = min(losses, key=losses.get)
    return rows[i], ema


def first_test_images(preset):
    """Return the first test images of a preset, uint8 `[CHECKED_IMAGES, H, W, C]`."""
    source = open_source(preset.data, preset.model.image_shape)
    return pipeline.arrays(source, "test", preset.data, preset.model.image_shape, limit=CHECKED_IMAGES)[0]


def mean_bits_per_dim(model, images):
    """Return the mean bits/dim of images, at the middle of each bin."""
    return float(np.mean(bits_per_dim(model.log_prob(images, noise=0.5), model.image_shape)))


if __name__ == "__main__":
    main(*sys.argv[1:])
