"""The card of packaged weights: the command that trained them, its time, the model, its bits/dim, the license."""

import dataclasses
import json
import pathlib
import shlex
import typing

import numpy as np

from glow_tf.cli import train
from glow_tf.counts import counted
from glow_tf.data import open_source, pipeline
from glow_tf.errors import ConfigError, DataError, RunError
from glow_tf.evaluation import likelihood
from glow_tf.fields import option_name
from glow_tf.io import write_text
from glow_tf.metrics_table import MetricsTable, validation_loss
from glow_tf.quantization import bits_per_dim
from glow_tf.runs import EMA_SUFFIX

CHECKED_IMAGES = 32
"""First test images, whose mean bits/dim at the middle of each bin a test measures again."""
PARTS = ("model", "data", "training")
"""Parts of an experiment whose fields are options of `train.py`."""


def check_model(experiment, preset):
    """Check that a run has the model of a preset; the precision of the coupling networks may differ in training.

    Raises:
        ConfigError: it has another model, or a conditional one.
    """
    if preset.model.classes:
        raise ConfigError(f"{preset.name} is conditional, and the weights that come with the package are not.")
    model = dataclasses.replace(experiment.model, network_dtype=preset.model.network_dtype)
    if model != preset.model:
        differences = [
            f"{name} {value}, expected {getattr(preset.model, name)}"
            for name, value in vars(model).items()
            if value != getattr(preset.model, name)
        ]
        raise ConfigError(f"the run has another model than the preset {preset.name}, in {'; '.join(differences)}.")


def make(run, preset, model, context, epoch, ema, processor):
    """Return the card of weights as plain values.

    Args:
        run: the run that trained them.
        preset: the preset's experiment.
        model: the `Glow` that has them, in float32.
        context: the `EvaluationContext` of the run's data.
        epoch: row of the metrics of their epoch.
        ema: True for EMA weights.
        processor: what the run was trained on, in words.
    """
    return {
        "weights": "EMA" if ema else "raw",
        "command": training_command(run.experiment(), preset),
        "trained": {
            "epoch": int(epoch["epoch"]),
            "steps": int(epoch["step"]),
            "images": int(epoch["images"]),
            "minutes": round(training_seconds(run) / 60, 1),
            "processor": processor,
        },
        **measured(preset, model, context),
        "data": context.source.credits or context.source.name,
        "license": "MIT",
    }


def measured(preset, model, context):
    """Return the model and its bits/dim, as parts of the card; the arguments are those of `make`.

    Raises:
        DataError: the bits/dim of a test image are not finite.
    """
    bits = likelihood.measure(context, model, draws=4)
    if bits.non_finite:
        count = bits.values.shape[1]
        raise DataError(
            f"the bits/dim of {bits.non_finite:,} of {counted(count, 'test image')} are not finite, as the weights are "
            "too large; the files stay as they are."
        )
    return {
        "model": dataclasses.asdict(model.config),
        "test": bits.to_dict(),
        "first_test_images": {
            "count": CHECKED_IMAGES,
            "bits_per_dim": mean_bits_per_dim(model, first_test_images(preset)),
        },
    }


def write(folder, name, values):
    """Write the card `NAME.json`, and print it."""
    text = json.dumps(values, indent=2)
    write_text(folder / f"{name}.json", f"{text}\n")
    print(text)


def training_command(experiment, preset):
    """Return the command that trains an experiment, with all options that differ from the preset.

    Raises:
        ConfigError: the command would not give this experiment.
    """
    words = ["--preset", preset.name]
    for part in PARTS:
        values, defaults = getattr(experiment, part), getattr(preset, part)
        types = typing.get_type_hints(type(values))
        for name, value in vars(values).items():
            if name != "split_record" and value != getattr(defaults, name):
                words += option_words(name, value, types[name])
    if experiment.initial_weights is not None:
        words += ["--init-from", pathlib.Path(experiment.initial_weights.path).name]
        words += ["--init-ema"] if experiment.initial_weights.ema else []
    parsed = train.parse(words)[0]
    data = dataclasses.replace(experiment.data, split_record=None)
    if (parsed.model, parsed.data, parsed.training) != (experiment.model, data, experiment.training):
        raise ConfigError(f"the options {shlex.join(words)} give another experiment than that of the run.")
    return shlex.join(["python", "train.py", *words])


def option_words(name, value, annotation):
    """Return the words by which a command line sets a field to a value."""
    if annotation is bool:
        return [option_name(name if value else f"no_{name}")]
    return [option_name(name), *map(str, value if isinstance(value, tuple) else [value])]


def training_seconds(run):
    """Return the time of all steps of a run at the median speed of its epochs, so that pauses do not count."""
    rows = MetricsTable(run.metrics_path).rows()
    return rows[-1]["images"] / float(np.median([row["images_per_second"] for row in rows]))


def best_epoch(run):
    """Return the row of the metrics with the best validation, and whether the EMA weights reached it.

    Raises:
        RunError: no epoch was validated, or the loss was not finite in any.
    """
    rows, weight_y = MetricsTable(run.metrics_path).rows(), run.experiment().model.weight_y
    losses = {
        (i, ema): validation_loss(row, EMA_SUFFIX * ema, weight_y)
        for i, row in enumerate(rows)
        for ema in (False, True)
    }
    i, ema = min(losses, key=losses.get, default=(None, False))
    if i is None or not np.isfinite(losses[i, ema]):
        raise RunError(f"no epoch of {run.path} has a validation loss that is finite; train it first.")
    return rows[i], ema


def first_test_images(preset):
    """Return the first test images of a preset, uint8 `[CHECKED_IMAGES, H, W, C]`."""
    source = open_source(preset.data, preset.model.image_shape)
    return pipeline.arrays(source, "test", preset.data, preset.model.image_shape, limit=CHECKED_IMAGES)[0]


def mean_bits_per_dim(model, images):
    """Return the mean bits/dim of images, at the middle of each bin."""
    return float(np.mean(bits_per_dim(model.log_prob(images, noise=0.5), model.image_shape)))
