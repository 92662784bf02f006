"""Run one training session: set up, restore and check, train, draw the figures."""

import contextlib
import dataclasses
import pathlib
import signal
import warnings
from collections.abc import Iterable, Iterator

import keras
import tensorflow as tf

from glow_tf import folders
from glow_tf.config import Experiment, RunOptions
from glow_tf.counts import counted
from glow_tf.pictures import learning_curve, sample_sheet, save_png, warning_if_not_drawn
from glow_tf.runs import Run
from glow_tf.training import devices, machine_checks
from glow_tf.training.cluster import absent_machines_named, ended_machines_named, read_cluster
from glow_tf.training.logs import ProgressBar
from glow_tf.training.messages import PrintLine, print_head, print_tail
from glow_tf.training.overfitting import OverfittingNotice
from glow_tf.training.run_folder import claimed, open_run_folder
from glow_tf.training.signals import STOPPED_BY_CALLBACK
from glow_tf.training.state import learning_rate_schedule
from glow_tf.training.trainer import Trainer


@contextlib.contextmanager
def graph_optimizer_restored() -> Iterator[None]:
    """Turn TensorFlow's graph optimizer on again after the context if it was on before: it is the whole process's."""
    name = "disable_meta_optimizer"
    was_off = tf.config.optimizer.get_experimental_options().get(name, False)
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: was_off})


def set_up(options: RunOptions) -> tf.distribute.Strategy:
    """Set TensorFlow's global state by the options of a run; return the strategy."""
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(options.tf32)
    devices.set_up_gpus(options.devices)
    if options.devices == "cpu" or not tf.config.get_visible_devices("GPU"):
        # On a CPU a step is as fast without TensorFlow's graph optimizer, which takes 10 s of a start at K=32.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return devices.strategy(options.devices)


def run(
    experiment: Experiment,
    options: RunOptions,
    print_line: PrintLine | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> int:
    """Train an experiment.

    Args:
        experiment: the experiment to train.
        options: the options of the run.
        print_line: function that prints a text; of several machines only the chief calls it. None prints nothing.
        callbacks: Keras callbacks, which the chief calls.

    Returns:
        The exit code: 0 when finished or ended by a callback, 128 + n after signal n (as a shell counts).
    """
    cluster = read_cluster()
    run_folder = open_run_folder(options.run_dir, experiment)
    # Before anything takes time. Of several machines one writes, and the others read what it has written.
    claim = claimed(run_folder) if cluster.is_chief else contextlib.nullcontext()
    with claim, ended_machines_named(cluster), graph_optimizer_restored():
        with absent_machines_named(cluster):
            strategy = set_up(options)
        trainer = Trainer(experiment, options, strategy)
        trainer.callbacks = [*(printing_callbacks(trainer) if print_line else ()), *callbacks]
        trainer.restore()
        machine_checks.check_same_step(trainer)
        machine_checks.check_same_images(trainer)
        machine_checks.check_same_weights(trainer)
        if trainer.chief:
            _check_files(trainer)
            _warn_of_another_learning_rate(trainer)
            _warn_of_a_long_warm_up(trainer)
        return _train(trainer, print_line if print_line and trainer.chief else _print_nothing)


def printing_callbacks(trainer: Trainer) -> tuple[keras.callbacks.Callback, ...]:
    """Return the callbacks that print: the progress bar, and the notice that validation rises."""
    return ProgressBar(trainer.training), OverfittingNotice(trainer.table, trainer.experiment.model.weight_y)


def _train(trainer: Trainer, print_line: PrintLine) -> int:
    """Train, unless the run is finished, draw the figures, and return the exit code."""
    print_head(trainer, print_line)
    was_finished = trainer.finished
    stopped = 0 if was_finished else trainer.train()
    if trainer.finished:  # asked to stop when nothing was left to do
        stopped = 0
    if stopped == STOPPED_BY_CALLBACK:
        print_line(f"stopped by a callback at step {trainer.state.steps:,}; the same command resumes it.")
    elif stopped:
        name = signal.Signals(stopped).name
        print_line(f"stopped by {name} at step {trainer.state.steps:,}; the same command resumes it.")
        return 128 + stopped
    if trainer.chief:
        _draw(trainer, only_missing=was_finished)
    if was_finished:
        epochs = counted(trainer.state.steps // trainer.training.epoch_steps, "epoch")
        print_line(
            f"{trainer.run.path} is finished after {epochs}. Give --epochs to train longer, or another --run-dir to "
            "start afresh."
        )
    print_tail(trainer, print_line)
    return 0


def _check_files(trainer: Trainer) -> None:
    """Check, before training, that there is room, and that the files beside the checkpoints fit them.

    Raises:
        RunError: the disk has no room for a checkpoint and the weights files.
    """
    state, run = trainer.state, trainer.run
    if trainer.restored:
        trainer.table.warn_of_missing_rows(state.steps // trainer.training.epoch_steps)
    if trainer.finished:
        for ema in (False, True):
            if not run.weights_path("last", ema).is_file():
                warnings.warn(f"{run.weights_path('last', ema)} was missing; written from the checkpoint", stacklevel=2)
                state.save_weights("last", ema_values=(ema,))
        return
    files = [run.weights_path(which, ema) for which in ("last", "best") for ema in (False, True)]
    missing = sum(not path.is_file() for path in files)
    # A new checkpoint is written before the oldest is removed, as is a weights file.
    checkpoints = max(1, trainer.options.keep_checkpoints + 1 - len(state.checkpoints.steps()))
    folders.check_room(run.path, checkpoints * state.checkpoint_size() + (missing + 1) * state.weights_size())


def _warn_of_a_long_warm_up(trainer: Trainer) -> None:
    """Warn if the training ends while its learning rate still rises."""
    training = trainer.training
    steps = None if training.epochs is None else training.epochs * training.epoch_steps
    if steps is not None and steps < training.warmup_steps and not trainer.finished:
        warnings.warn(
            f"the training of {steps:,} steps ends within the warm-up of {training.warmup_steps:,.0f} steps, at "
            f"{steps / training.warmup_steps:.0%} of the learning rate; give fewer --warmup-steps or more --epochs.",
            stacklevel=2,
        )


def _warn_of_another_learning_rate(trainer: Trainer) -> None:
    """Warn if the learning rate jumps, as it does where other --epochs stretch or shrink a cosine decay."""
    if not trainer.restored or trainer.finished:
        return
    epochs = trainer.run.experiment().training.epochs
    before, now = (
        float(learning_rate_schedule(training)(trainer.state.updates))
        for training in (dataclasses.replace(trainer.training, epochs=epochs), trainer.training)
    )
    if before != now:
        assert epochs is not None  # as a cosine decay has an end
        warnings.warn(
            f"{trainer.run.path} was to have {counted(epochs, 'epoch')}: the cosine decay to the end of "
            f"{trainer.training.epochs} makes the learning rate jump from {before:.3g} to {now:.3g} at step "
            f"{trainer.state.steps:,}; to keep the run as it is, give --init-from with another --run-dir.",
            stacklevel=2,
        )


def _print_nothing(text: str) -> None:
    """Print nothing, on the machines that are not the chief."""


def _draw(trainer: Trainer, only_missing: bool) -> None:
    """Draw the figures at the end of a training; those that show the present epochs stay if `only_missing` is True."""
    run, name = trainer.run, trainer.run.path.resolve().name
    curve, samples = (run.pictures / file for file in ("learning_curve.png", "samples.png"))
    if not (only_missing and _is_current(curve, run)):
        with warning_if_not_drawn(str(curve)):
            weight_y = trainer.experiment.model.weight_y
            learning_curve(curve, trainer.table.rows(), title=f"Learning curve of {name}", weight_y=weight_y)
    if not (only_missing and _is_current(samples, run)):
        with warning_if_not_drawn(str(samples)):
            which = "best" if run.weights_path("best").is_file() else "last"
            save_png(samples, sample_sheet(run.model(), subtitle=f"{name}, raw weights of the {which} epoch"))


def _is_current(picture: pathlib.Path, run: Run) -> bool:
    """Return whether a picture is there and no epoch has ended since it was drawn, in a training that was killed."""
    if not (picture.is_file() and run.metrics_path.is_file()):
        return picture.is_file()
    return picture.stat().st_mtime_ns >= run.metrics_path.stat().st_mtime_ns
