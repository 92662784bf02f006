"""What a training session prints before and after: its setup, and where the results are."""

import math
import os
import shlex
from collections.abc import Callable
from typing import TypeAlias

from glow_tf import presets
from glow_tf.cli import start
from glow_tf.config import Experiment
from glow_tf.counts import counted
from glow_tf.runs import EMA_SUFFIX
from glow_tf.tables import format_table
from glow_tf.training import devices
from glow_tf.training.overfitting import best_epoch
from glow_tf.training.trainer import Trainer

PrintLine: TypeAlias = Callable[[str], object]
"""Function that prints a text."""


def print_head(trainer: Trainer, print_line: PrintLine) -> None:
    """Print the data, the model, the training and the folder of a training that is about to start."""
    experiment, training, model = trainer.experiment, trainer.training, trainer.experiment.model
    height, width, channels = model.image_shape
    length = counted(training.epochs, "epoch") if training.epochs else "until stopped (--epochs ends it), epochs"
    rows = [
        (
            "data",
            f"{trainer.source.name}, {counted(trainer.source.size('train'), 'image')} to train on, "
            f"{trainer.source.size('validation'):,} to validate; {height}x{width}x{channels} at "
            f"{counted(model.bits, 'bit')}",
        ),
        (
            "model",
            f"L={model.levels}, K={model.depth}, width {model.width}, {model.permutation}, {model.coupling}, "
            f"{trainer.state.model.count_params() / 1e6:.2f} M parameters",
        ),
        (
            "training",
            f"{length} of {counted(training.epoch_steps, 'step')}, batch {training.batch_size}, "
            f"{devices.describe(trainer.strategy)}{', compiled by XLA' if trainer.jit_compile else ''}",
        ),
        ("folder", f"{trainer.run.path}" + (f", step {trainer.state.steps:,} so far" if trainer.restored else "")),
    ]
    if trainer.source.credits:
        rows.insert(1, ("credits", trainer.source.credits))
    if weights := experiment.initial_weights:
        rows.insert(-1, ("start", f"{'EMA ' if weights.ema else ''}weights of {weights.path}"))
    if cache := trainer.source.describe_cache():
        rows.insert(1, ("cache", cache))
    if experiment.data.paper_protocol:
        rows.insert(1, ("protocol", "the paper's: trains on all training images, selects on the test split"))
    print_line(_title(experiment))
    print_line(format_table(rows, indent="  "))


def _title(experiment: Experiment) -> str:
    """Return the name of an experiment and what it is; a preset's description does not hold for other images."""
    preset = presets.PRESETS.get(experiment.name)
    if preset is not None and preset.data.source != experiment.data.source:
        return f"{experiment.name}, on other images than the preset's"
    return f"{experiment.name}: {experiment.about}" if experiment.about else experiment.name


def print_tail(trainer: Trainer, print_line: PrintLine) -> None:
    """Print the best validation, the paths of the results, and the commands to go on with."""
    run, metrics = trainer.run, trainer.table.rows()
    best = []
    for value, suffix in zip(trainer.state.counters.best.numpy(), ("", EMA_SUFFIX), strict=True):
        epoch = best_epoch(metrics, value, suffix, trainer.experiment.model.weight_y)
        best.append(_describe_best(value, trainer.experiment.model.weight_y) + (f" (epoch {epoch})" if epoch else ""))
    rows = [
        ("samples", run.pictures / "samples.png"),
        ("learning curve", run.pictures / "learning_curve.png"),
        ("metrics", run.metrics_path),
        ("weights", f"{run.weights_path().parent}{os.sep}"),
    ]
    print_line(f"best validation: {best[0]}, with EMA weights {best[1]}")
    print_line(format_table(rows, indent="  "))
    path = shlex.quote(str(run.path))
    evaluate, demo, train = (start.spell(command) for command in ("evaluate", "demo", "train"))
    print_line(f"next: {evaluate} {path}, or {demo} {path} for a page in the browser")
    if trainer.experiment.name == presets.DEFAULT:
        print_line(f"faces whose smile moves with a slider: {train} --preset faces (about six minutes)")


def _describe_best(loss: float, weight_y: float) -> str:
    """Describe the lowest validation loss, which with a classifier is more than bits/dim."""
    if not math.isfinite(loss):
        return "none yet"
    return f"loss {loss:.4f}" if weight_y else f"{loss:.4f} bits/dim"
