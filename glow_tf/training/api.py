"""`train`: train a Glow from Python, as `train.py` does from the command line."""

import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterable
from typing import Any

import keras

from glow_tf import presets
from glow_tf.config import Experiment, RunOptions
from glow_tf.errors import ConfigError, data_errors, did_you_mean
from glow_tf.extras import optional_packages
from glow_tf.log_lines import shown_as_lines
from glow_tf.runs import Run

REMEDIES: dict[Any, str] = {
    (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler): "the learning rate follows "
    "learning_rate, warmup_steps and schedule of the experiment's training",
    keras.callbacks.BackupAndRestore: "the same call resumes a run",
    keras.callbacks.ProgbarLogger: "verbose=True shows the progress",
    keras.callbacks.TensorBoard: "a run writes files for TensorBoard itself",
    keras.callbacks.SwapEMAWeights: "a run keeps EMA weights too, which Run.model(ema=True) loads",
}
"""What to do instead of a callback of Keras that is refused."""


def train(
    experiment: Experiment | str,
    run_dir: str | os.PathLike[str] | None = None,
    *,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    verbose: bool = True,
    **options: Any,
) -> Run:
    """Train a Glow in a run folder; the same call resumes an interrupted run.

    Like `train.py`, it sets TensorFlow's global state, for the rest of the process: TF32 is off unless `tf32=True`,
    operations are deterministic with `deterministic=True`, GPUs allocate memory as needed, and none is visible with
    `devices="cpu"`. During the training on a CPU TensorFlow's graph optimizer is off.

    Args:
        experiment: an `Experiment`, or the name of a preset.
        run_dir: the run folder; None means `runs/NAME`, with the experiment's name.
        callbacks: Keras callbacks, called with the columns of `metrics.csv` at the end of each epoch, such as
            `EarlyStopping("val_bits_x", mode="min")`. A callback that sets `model.stop_training` ends the training; the
            best epoch's weights are kept in any case. Callbacks of Keras that need a compiled model are refused.
        verbose: print the progress and the library's log messages.
        **options: other fields of `RunOptions`, such as `devices="cpu"` or `sample_every=5`.

    Returns:
        The `Run`, whose `model()` is the trained `Glow`.

    Raises:
        TypeError: `experiment` is neither an `Experiment` nor a name.
        ConfigError: an option or a callback is not valid, or the folder holds a run of another configuration.
        DataError: the images cannot be read.
        RunError: the folder cannot be used, or the loss is not finite.
        KeyboardInterrupt: Ctrl-C; a checkpoint has been written.
        SystemExit: SIGTERM; a checkpoint has been written.

    Example:
        >>> import dataclasses, tempfile
        >>> import glow_tf
        >>> experiment = glow_tf.presets.get("digits")
        >>> training = dataclasses.replace(experiment.training, epochs=1, epoch_steps=2, warmup_steps=1)
        >>> model = dataclasses.replace(experiment.model, levels=1, depth=1, width=4)
        >>> experiment = dataclasses.replace(experiment, model=model, training=training)
        >>> run = glow_tf.train(experiment, f"{tempfile.mkdtemp()}/run", devices="cpu", verbose=False)
        >>> run.model().sample(2).shape
        TensorShape([2, 8, 8, 1])
    """
    if isinstance(experiment, str):
        experiment = presets.get(experiment)
    if not isinstance(experiment, Experiment):
        kind = type(experiment).__name__
        raise TypeError(f"train: expected an Experiment or the name of a preset, got {kind}.")
    _check_options(options, experiment)
    callbacks = list(callbacks)
    _check_callbacks(callbacks)
    run_dir = f"runs/{experiment.name}" if run_dir is None else os.fspath(run_dir)
    run_options = RunOptions(run_dir=run_dir, **options)
    with optional_packages():  # for data, pictures and the progress bar
        from glow_tf.training import session
    with data_errors(), shown_as_lines() if verbose else contextlib.nullcontext():
        code = session.run(experiment, run_options, print_line=print if verbose else None, callbacks=callbacks)
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code:
        raise SystemExit(code)
    return Run.open(run_dir)


def _check_options(options: Iterable[str], experiment: Experiment) -> None:
    """Raise a `ConfigError` for a name that is not one of `RunOptions`; say how fields of the experiment are set."""
    names = _field_names(RunOptions)
    for name in [name for name in options if name not in names]:
        for part in ("model", "data", "training"):
            if name in _field_names(getattr(experiment, part)):
                changed_part = f"dataclasses.replace(experiment.{part}, {name}=...)"
                raise ConfigError(
                    f"train: {name} is no option but a field of the experiment's {part}; give "
                    f"dataclasses.replace(experiment, {part}={changed_part})."
                )
        raise ConfigError(f"train: there is no option {name}.{did_you_mean(name, names)}")


def _check_callbacks(callbacks: Iterable[Any]) -> None:
    """Raise a `ConfigError` for what is no callback, and for callbacks of Keras that would fail after an epoch."""
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ConfigError(f"train: expected instances of keras.callbacks.Callback, got {callback!r}.")
        name = type(callback).__name__
        for kinds, remedy in REMEDIES.items():
            if isinstance(callback, kinds):
                raise ConfigError(f"train: the callback {name} is for keras.Model.fit; leave it out: {remedy}.")
        is_monitor = isinstance(callback, keras.callbacks.EarlyStopping) or getattr(callback, "save_best_only", False)
        # Keras itself knows the direction of losses alone, and there is no val_loss, its default.
        mode, monitor = getattr(callback, "mode", None), getattr(callback, "monitor", None)
        if is_monitor and mode == "auto" and monitor != "loss":
            raise ConfigError(
                f"train: the callback {name} needs a column of metrics.csv and its direction, such as "
                f'monitor="val_bits_x" and mode="min", got {monitor!r} and "auto".'
            )


def _field_names(config: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(config)]
