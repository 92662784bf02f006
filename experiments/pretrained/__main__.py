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
from glow_tf.model_files import PACKAGED_WEIGHTS
from glow_tf.quantization import bits_per_dim
from glow_tf.runs import Run

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
    rows = [row for row in run_rows(run) if row.get("val_bits_x") is not None]
    best = {ema: min(rows, key=lambda row: row[column]) for ema, column in ((False, "val_bits_x"), (True, EMA_COLUMN))}
    ema = best[True][EMA_COLUMN] < best[False]["val_bits_x"]
    context = open_context(TargetOptions(str(run.path), ema=ema))
    bits = likelihood.measure(context, draws=4)
    PACKAGED_WEIGHTS.mkdir(exist_ok=True)
    context.model.save_weights(PACKAGED_WEIGHTS / f"{name}.weights.h5")
    images = checked_images(preset)
    values = bits_per_dim(context.model.log_prob(images, noise=0.5), preset.model.image_shape)
    card = {
        "weights": "EMA" if ema else "raw",
        "epoch": int(best[ema]["epoch"]),
        "steps": int(best[ema]["step"]),
        "images_seen": int(best[ema]["images"]),
        "epochs": experiment.training.epochs,
        "epoch_steps": experiment.training.epoch_steps,
        "test": bits.to_dict(),
        "first_test_images": {"count": CHECKED_IMAGES, "bits_per_dim": float(np.mean(values))},
        "data": context.source.credits or context.source.name,
        "license": "MIT",
    }
    write_text(PACKAGED_WEIGHTS / f"{name}.json", json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


EMA_COLUMN = "val_bits_x_average"


def run_rows(run):
    """Return the rows of a run's metrics."""
    from glow_tf.metrics_table import MetricsTable

    return MetricsTable(run.metrics_path).rows()


def checked_images(preset):
    """Return the first test images of a preset, uint8 `[CHECKED_IMAGES, H, W, C]`."""
    source = open_source(preset.data, preset.model.image_shape)
    return pipeline.arrays(source, "test", preset.data, preset.model.image_shape, limit=CHECKED_IMAGES)[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
