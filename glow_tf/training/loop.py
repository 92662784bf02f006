"""The epochs of a training: steps, health checks, checkpoints, and what happens at the end of each epoch."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from glow_tf.metrics_table import Row
from glow_tf.pictures import sample_sheet, save_png, warning_if_not_drawn
from glow_tf.training import devices
from glow_tf.training.logs import ProgressBar, TensorBoard, tensorboard_available
from glow_tf.training.metrics import (
    epoch_means,
    stop_with_good_weights,
    too_many_bad_steps,
    training_metrics,
)
from glow_tf.training.overfitting import OverfittingNotice
from glow_tf.training.signals import STOPPED_BY_CALLBACK
from glow_tf.training.validation import validate_and_keep_best

if TYPE_CHECKING:
    from glow_tf.training.trainer import Trainer

PROGRESS_INTERVAL_SECONDS = 0.3
"""Shortest time between two updates of the bar's numbers: reading a number waits for the device."""

BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
"""Methods of a Keras callback that are called at each step."""

HEALTH_CHECK_INTERVAL_STEPS = 10
"""Steps between two checks for non-finite steps: by count, so that several machines stop at the same step."""


class EpochLoop:
    """A loop over the epochs, from the present step on.

    Args:
        trainer: the trainer, initialized or restored.
        callbacks: Keras callbacks, which the chief calls; `model.stop_training` ends the training.
    """

    def __init__(self, trainer: Trainer, callbacks: Iterable[keras.callbacks.Callback] = ()) -> None:
        self.callbacks = list(callbacks)
        users = [c for c in self.callbacks if not isinstance(c, ProgressBar | OverfittingNotice)]
        self.has_user_callbacks = bool(users)
        """True if there are callbacks that may read or set the weights, which a compiled step holds for itself."""
        self.has_batch_hooks = any(_overrides(callback, name) for callback in users for name in BATCH_HOOKS)
        self.trainer, self.options, self.training = trainer, trainer.options, trainer.training
        self.state, self.stop = trainer.state, trainer.stop
        self.tensorboard: TensorBoard | None = None
        self.saved_at = time.monotonic()
        """Time of the last checkpoint, or of the start."""

    def run(self, batches: Iterator[Any]) -> None:
        """Train until the last epoch, or until all machines agree to stop.

        Args:
            batches: (distributed) training batches.
        """
        callbacks = self._make_callbacks()
        callbacks.on_train_begin()
        if not self.trainer.restored:
            self._save_checkpoint()  # the results of the first epoch are never without a checkpoint
        self.saved_at = time.monotonic()
        for epoch in itertools.count(self.state.steps // self.training.epoch_steps):
            if self.trainer.finished or self.stop.agreed:
                break
            self._train_epoch(epoch, batches, callbacks)
        callbacks.on_train_end()

    def _agree_to_stop(self) -> None:
        """Let all machines agree to stop, on a signal or because a callback asked for it."""
        if self.state.model.stop_training and not self.stop.received:
            self.stop.received = STOPPED_BY_CALLBACK
        self.stop.agree()

    def _make_callbacks(self) -> keras.callbacks.CallbackList:
        callbacks: list[keras.callbacks.Callback] = []
        if self.trainer.chief:
            if self.options.tensorboard and tensorboard_available():
                self.tensorboard = TensorBoard(self.trainer.run.path / "tensorboard")
                callbacks.append(self.tensorboard)
            callbacks.extend(self.callbacks)
        model, params = self.state.model, {"epochs": self.training.epochs, "steps": self.training.epoch_steps}
        model.stop_training = False
        return keras.callbacks.CallbackList(callbacks, model=model, **params)

    def _train_epoch(self, epoch: int, batches: Iterator[Any], callbacks: keras.callbacks.CallbackList) -> None:
        epoch_steps = self.training.epoch_steps
        done = self.state.steps - epoch * epoch_steps
        callbacks.on_epoch_begin(epoch, {"done": done})
        if self.has_user_callbacks:
            self.trainer.step.load()  # what callbacks set since the last step
        start, progress_at = time.monotonic(), 0.0
        for k in range(done, epoch_steps):
            callbacks.on_train_batch_begin(k)
            if self.has_batch_hooks:
                self.trainer.step.load()
            self.trainer.step(next(batches))
            if self.has_batch_hooks:
                self.trainer.step.store()
            logs = None
            if time.monotonic() - progress_at > PROGRESS_INTERVAL_SECONDS:
                progress_at, logs = time.monotonic(), epoch_means(self.state)
            if (k + 1) % HEALTH_CHECK_INTERVAL_STEPS == 0:
                self._check_health()
            callbacks.on_train_batch_end(k, logs)
            if self.has_batch_hooks:
                self.trainer.step.load()  # before anything stores the weights again
            self._agree_to_stop()
            if self._checkpoint_is_due() and k < epoch_steps - 1:
                self.trainer.step.store()
                self._save_checkpoint()
                if self.stop.agreed:
                    return
        self._check_health()
        rate = (epoch_steps - done) * self.training.batch_size / (time.monotonic() - start)
        row = self._end_epoch(epoch + 1, rate)
        # Keras's own callbacks take the epoch from the argument, and some fail on logs that have it too.
        callbacks.on_epoch_end(epoch, {name: value for name, value in row.items() if name != "epoch"})
        self._agree_to_stop()

    def _checkpoint_is_due(self) -> bool:
        """Return whether a checkpoint is due, by time or because of a signal."""
        elapsed = time.monotonic() - self.saved_at
        return bool(self.stop.agreed) or elapsed > 60 * self.options.checkpoint_minutes

    def _check_health(self) -> None:
        """Stop training after too many non-finite steps in a row, with the newest weights saved."""
        if too_many_bad_steps(self.state, self.training.patience):
            self.trainer.step.store()
            stop_with_good_weights(self.state)

    def _save_checkpoint(self) -> None:
        self.state.save_checkpoint()
        self.saved_at = time.monotonic()

    def _end_epoch(self, number: int, images_per_second: float) -> Row:
        """Validate; save weights, metrics and a checkpoint; return the row of metrics of epoch `number`, from 1.

        The checkpoint comes last: killed before it, the run reaches the same end of the epoch again.
        """
        state, trainer = self.state, self.trainer
        trainer.step.store()
        row = training_metrics(state, number, self.training.batch_size, images_per_second)
        is_last = self.training.epochs is not None and number >= self.training.epochs
        if number % self.options.validate_every == 0 or is_last:
            row.update(validate_and_keep_best(state, trainer.validation, self._validation_batches))
        state.counters.sums.assign(tf.zeros_like(state.counters.sums))
        state.save_weights("last")
        if trainer.chief:
            trainer.table.append(row)
            sample_every = self.options.sample_every or trainer.experiment.sample_every
            if sample_every and number % sample_every == 0:
                self._draw_samples(number)
        self._save_checkpoint()
        return row

    @functools.cached_property
    def _validation_batches(self) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        trainer = self.trainer
        return devices.distribute(trainer.strategy, trainer.batches.validation, self.training.batch_size)

    def _draw_samples(self, number: int) -> None:
        path = self.trainer.run.pictures / f"samples_epoch_{number:04d}.png"
        with warning_if_not_drawn(str(path)):
            page = sample_sheet(
                self.state.model, subtitle=f"{self.trainer.run.path.resolve().name}, raw weights, epoch {number}"
            )
            save_png(path, page)
            if self.tensorboard:
                self.tensorboard.image("samples", page, self.state.steps)


def _overrides(callback: keras.callbacks.Callback, name: str) -> bool:
    method = getattr(callback, name)
    return getattr(method, "__func__", method) is not getattr(keras.callbacks.Callback, name)
