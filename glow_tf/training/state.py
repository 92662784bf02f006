"""The state of training: everything that a step changes, and how the run folder keeps it."""

import contextlib
import math
import os

import tensorflow as tf

from glow_tf.errors import RunError
from glow_tf.io import write_atomically
from glow_tf.model import Glow
from glow_tf.training.checkpoints import Checkpoints
from glow_tf.training.ema import ExponentialMovingAverage
from glow_tf.training.optimizers import Adam, Adamax
from glow_tf.training.schedule import WarmUp
from glow_tf.training.step import Counters
from glow_tf.weights_file import check_config

HDF5_BYTES_PER_ARRAY = 4096
"""Upper estimate of what a weights file holds besides the numbers, per array."""


def make_optimizer(training):
    """Return the optimizer of an anchored `TrainingConfig`, with its schedule."""
    decay_steps = training.epochs * training.epoch_steps if training.schedule == "cosine" else None
    optimizer_class = {"adamax": Adamax, "adam": Adam}[training.optimizer]
    return optimizer_class(
        WarmUp(training.learning_rate, training.warmup_steps, decay_steps),
        beta1=training.beta1,
        beta2=training.beta2,
        weight_factor=training.weight_decay,
    )


class TrainingState:
    """Model, optimizer, EMA and counters of an experiment.

    Args:
        experiment: an `Experiment`.
        run: the `Run` whose folder keeps the state.
        strategy: the `tf.distribute` strategy that holds the variables; None: the present one.
        chief: bool, whether this process writes; with several machines one does.
        keep: int, the number of checkpoints kept.
        model: a `Glow` that exists already; None makes the experiment's.
    """

    def __init__(self, experiment, run, strategy=None, chief=True, keep=3, model=None):
        training = experiment.training.anchored(experiment.model.image_shape)
        self.run, self.chief = run, chief
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
    def steps(self):
        """Steps taken so far, an int."""
        return int(self.counters.step.numpy())

    def restore(self):
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

    def save_checkpoint(self):
        """Write the whole state, in the chief process."""
        if self.chief:
            self.checkpoints.save()

    def checkpoint_size(self):
        """Return the size of a checkpoint in bytes: weights, slots, EMA."""
        return _byte_count([*self.model.weights, *self.optimizer.variables]) + _byte_count(self.ema.shadows)

    def weights_size(self):
        """Return an upper estimate of the size of a weights file in bytes."""
        return _byte_count(self.model.weights) + HDF5_BYTES_PER_ARRAY * len(self.model.weights)

    def weights(self, ema):
        """Return a context in which the model has its raw weights, or its EMA weights if `ema` is True."""
        return self.ema.swapped() if ema else contextlib.nullcontext()

    def save_weights(self, which, ema_values=(False, True)):
        """Write weights files, in the chief process.

        Args:
            which: `"last"` or `"best"`.
            ema_values: values of `ema` to write a file for: False for the raw weights, True for the EMA weights.
        """
        for ema in ema_values if self.chief else ():
            with self.weights(ema):
                write_atomically(self.run.weights_path(which, ema), self._write_weights)

    def _write_weights(self, path):
        # Reserve the space first: h5py does not fail cleanly on a full disk.
        if hasattr(os, "posix_fallocate"):
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.weights_size())
        self.model.save_weights(path, overwrite=True)


def _byte_count(variables):
    return sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in variables)
