"""What one call of `train.py` does: say what is about to happen, train, draw, say where everything is."""

import json
import os
import signal

import tensorflow as tf

from glow_tf.pictures import learning_curve, sample_sheet, save_png
from glow_tf.training import devices
from glow_tf.training.loop import Trainer


def format_config(experiment):
    """The configuration as JSON, with the values that the anchor rule fills in."""
    values = experiment.to_dict()
    anchored = experiment.training.anchored(experiment.model.image_shape)
    values["training"] = {k: getattr(anchored, k) for k in values["training"]}
    return json.dumps(values, indent=2)


def set_up(options):
    """Sets what of TensorFlow's own state `RunOptions` ask for, and returns the strategy."""
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(options.tf32)
    if not tf.config.list_physical_devices("GPU"):
        # On a CPU a step is as fast without TensorFlow's graph optimizer, which takes 10 s of a start at K=32.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return devices.strategy(options.devices)


def run(experiment, options, say=print):
    """Trains an experiment; returns the exit code: 0 when finished, 128 + n after signal n (as a shell counts)."""
    strategy = set_up(options)
    chief = devices.is_chief(strategy)
    if not chief:
        say = _nothing
    trainer = Trainer(experiment, options, strategy)
    trainer.restore()
    _say_head(trainer, say)
    done_before = trainer.finished
    stopped = 0 if done_before else trainer.train()
    if stopped:
        say(f"stopped by {signal.Signals(stopped).name} at step {trainer.state.steps:,}; the same command goes on.")
        return 128 + stopped
    if chief:
        _draw(trainer, only_missing=done_before)
    if done_before:
        say(
            f"{trainer.run.path} is finished: {trainer.training.epochs} epochs. To train longer give --epochs, "
            "to start afresh another --run-dir."
        )
    _say_tail(trainer, say)
    return 0


def _nothing(line):
    """Only the first of several machines speaks."""


def _say_head(trainer, say):
    experiment, training, model = trainer.experiment, trainer.training, trainer.experiment.model
    height, width, channels = model.image_shape
    length = f"{training.epochs} epochs" if training.epochs else "until stopped (--epochs ends it), epochs"
    say(f"{experiment.name}: {experiment.about}" if experiment.about else experiment.name)
    say(
        f"  data      {trainer.source.name}, {trainer.source.size('train'):,} images to train on, "
        f"{trainer.source.size('validation'):,} to validate; {height}x{width}x{channels} at {model.bits} bits"
    )
    if experiment.data.paper_protocol:
        say("  protocol  the paper's: trains on all training images, selects on the test split")
    say(
        f"  model     L={model.levels}, K={model.depth}, width {model.width}, {model.permutation}, {model.coupling}, "
        f"{trainer.state.model.count_params() / 1e6:.2f} M parameters"
    )
    say(
        f"  training  {length} of {training.epoch_steps} steps, batch {training.batch_size}, "
        f"{devices.describe(trainer.strategy)}"
    )
    say(f"  folder    {trainer.run.path}" + (f", step {trainer.state.steps:,} so far" if trainer.restored else ""))


def _draw(trainer, only_missing):
    curve, samples = (trainer.run.pictures / name for name in ("learning_curve.png", "samples.png"))
    if not (only_missing and curve.is_file()):
        learning_curve(curve, trainer.table.rows())
    if not (only_missing and samples.is_file()):
        save_png(samples, sample_sheet(trainer.run.model()))


def _say_tail(trainer, say):
    run = trainer.run
    best = trainer.state.counters.best.numpy()
    say(f"best validation: {best[0]:.4f} bits/dim, with averaged weights {best[1]:.4f}")
    say(f"  samples         {run.pictures / 'samples.png'}")
    say(f"  learning curve  {run.pictures / 'learning_curve.png'}")
    say(f"  metrics         {run.metrics_path}")
    say(f"  weights         {run.weights_path().parent}{os.sep}")
    say(f"next: python evaluate.py {run.path}, or python -m glow_tf.demo {run.path} for a page in the browser")
