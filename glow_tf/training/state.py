"""The state of training: everything that a step changes, and how the run folder keeps it."""

import contextlib
import math
import os
import pathlib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from glow_tf.config import AnchoredTraining, Experiment
from glow_tf.errors import RunError
from glow_tf.io import write_atomically
from glow_tf.model import Glow
from glow_tf.run_files import Which
from glow_tf.runs import Run
from glow_tf.training.checkpoints import Checkpoints
from glow_tf.training.ema import ExponentialMovingAverage
from glow_tf.training.optimizers import Adam, Adamax, GlowOptimizer
from glow_tf.training.schedule import WarmUp
from glow_tf.training.step import Counters
from glow_tf.weights_file import check_config

HDF5_BYTES_PER_ARRAY = 4096
"""Upper estimate of what a weights file holds besides the numbers, per array."""


def learning_rate_schedule(training: AnchoredTraining) -> WarmUp:
    """Return the learning rate of a training as a function of the number of earlier updates."""
    decay_steps = None
    if training.schedule == "cosine":
        assert training.epochs is not None  # as `TrainingConfig` has checked
        decay_steps = training.epochs * training.epoch_steps
    return WarmUp(training.learning_rate, training.warmup_steps, decay_steps)


def make_optimizer(training: AnchoredTraining) -> GlowOptimizer:
    """Return the optimizer of a training, with its schedule."""
    optimizer_class = {"adamax": Adamax, "adam": Adam}[training.optimizer]
    return optimizer_class(
        learning_rate_schedule(training),
        beta1=training.beta1,
        beta2=training.beta2,
        weight_factor=training.weight_decay,
    )


class TrainingState:
    """Model, optimizer, EMA and counters of an experiment.

    Args:
        experiment: the experiment that is trained.
        run: the run whose folder keeps the state.
        strategy: the strategy that holds the variables; None: the present one.
        chief: True in the process that writes; with several machines one does.
        keep: the number of checkpoints kept.
        model: a model that exists already; None makes the experiment's.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: Run,
        strategy: tf.distribute.Strategy | None = None,
        chief: bool = True,
        keep: int = 3,
        model: Glow | None = None,
    ) -> None:
        training = experiment.training.anchored(experiment.model.image_shape)
        self.run, self.chief = run, chief
        self.schedule = learning_rate_schedule(training)
        with (strategy or tf.distribute.get_strategy()).scope():
            self.model = model or Glow(experiment.model)
            self.optimizer = make_optimizer(training)
            self.ema = ExponentialMovingAverage(self.model, training.beta2)
            self.counters = Counters(self.model.term_names)
            self.optimizer.build(self.model.trainable_variables)
        self.checkpoints = Checkpoints(
            run.checkpoints,
            model=self.model,
            optimizer=self.optimizer,
            ema=self.ema,
            counters=self.counters,
            keep=keep,
        )

    @property
    def steps(self) -> int:
        """Return the number of steps taken so far."""
        return int(self.counters.step.numpy())

    @property
    def updates(self) -> int:
        """Return the number of updates of the weights so far: the steps without the skipped ones."""
        # A variable of several replicas is no number. Type checkers infer a tensor of another backend, or None.
        iterations = self.optimizer.iterations.value  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
        return int(tf.convert_to_tensor(iterations))

    def restore(self) -> bool:
        """Restore the newest readable checkpoint; return whether there was one.

        Raises:
            RunError: there are checkpoints, and none can be read, or they are of another configuration; or there are
                results, and no checkpoint to go on from.
        """
        if self.checkpoints.restore() is not None:
            check_config(self.run.weights_path("last"), self.model.config)
            return True
        if results := self.run.results:
            names = ", ".join(str(path.relative_to(self.run.path)) for path in results)
            raise RunError(
                f"{self.run.path} holds results ({names}) and no checkpoint to go on from, and training from the start "
                "would overwrite them; give another --run-dir."
            )
        return False

    def save_checkpoint(self) -> None:
        """Write the whole state, in the chief process."""
        if self.chief:
            self.checkpoints.save()

    def checkpoint_size(self) -> int:
        """Return the size of a checkpoint in bytes: weights, slots, EMA."""
        return _byte_count([*self.model.weights, *self.optimizer.variables]) + _byte_count(self.ema.shadows)

    def weights_size(self) -> int:
        """Return an upper estimate of the size of a weights file in bytes."""
        return _byte_count(self.model.weights) + HDF5_BYTES_PER_ARRAY * len(self.model.weights)

    def weights(self, ema: bool) -> AbstractContextManager[None]:
        """Return a context in which the model has its raw weights, or its EMA weights if `ema` is True."""
        return self.ema.swapped() if ema else contextlib.nullcontext()

    def save_weights(self, which: Which, ema_values: Iterable[bool] = (False, True)) -> None:
        """Write weights files, in the chief process.

        Args:
            which: the epoch that the files are for.
            ema_values: values of `ema` to write a file for: False for the raw weights, True for the EMA weights.
        """
        for ema in ema_values if self.chief else ():
            with self.weights(ema):
                write_atomically(self.run.weights_path(which, ema), self._write_weights)

    def _write_weights(self, path: pathlib.Path) -> None:
        # Reserve the space first: h5py does not fail cleanly on a full disk.
        if hasattr(os, "posix_fallocate"):
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.weights_size())
        self.model.save_weights(path, overwrite=True)


def _byte_count(variables: Iterable[Any]) -> int:
    return sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in variables)
