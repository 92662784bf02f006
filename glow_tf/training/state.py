"""The state of training: everything that a step changes, and how it is kept in the run folder."""

import contextlib
import os

import tensorflow as tf

from glow_tf.model import Glow
from glow_tf.runs import write_atomically
from glow_tf.training.average import MovingAverage
from glow_tf.training.checkpoints import Checkpoints
from glow_tf.training.optimizers import Adam, Adamax
from glow_tf.training.schedule import WarmUp
from glow_tf.training.step import Counters, terms_of


def make_optimizer(training):
    """The optimizer of an anchored `TrainingConfig`, with its schedule."""
    decay_steps = training.epochs * training.epoch_steps if training.schedule == "cosine" else None
    rule = {"adamax": Adamax, "adam": Adam}[training.optimizer]
    return rule(
        WarmUp(training.learning_rate, training.warmup_steps, decay_steps),
        beta1=training.beta1,
        beta2=training.beta2,
        weight_factor=training.weight_decay,
    )


class TrainingState:
    """Model, optimizer, moving average and counters of an experiment.

    Args:
        experiment: an `Experiment`.
        run: the `Run` whose folder keeps the state.
        strategy: the `tf.distribute` strategy that holds the variables; None: the present one.
        chief: whether this process writes; with several machines one does.
        keep: number of checkpoints kept.
        model: a `Glow` that exists already; None makes the experiment's.
    """

    def __init__(self, experiment, run, strategy=None, chief=True, keep=3, model=None):
        training = experiment.training.anchored(experiment.model.image_shape)
        self.run, self.chief = run, chief
        with (strategy or tf.distribute.get_strategy()).scope():
            self.model = model or Glow(experiment.model)
            self.optimizer = make_optimizer(training)
            self.average = MovingAverage(self.model, training.beta2)
            self.counters = Counters(terms_of(self.model))
            self.optimizer.build(self.model.trainable_variables)
        self.checkpoints = Checkpoints(
            run.checkpoints,
            model=self.model,
            optimizer=self.optimizer,
            average=self.average,
            counters=self.counters,
            keep=keep,
        )

    @property
    def steps(self):
        """Steps taken so far."""
        return int(self.counters.step.numpy())

    def restore(self):
        """Takes up the newest readable checkpoint; whether there was one."""
        return self.checkpoints.restore() is not None

    def save_checkpoint(self):
        """Writes the whole state."""
        if self.chief:
            self.checkpoints.save()

    def weights(self, average):
        """A context in which the model has its raw weights, or their moving average."""
        return self.average.swapped() if average else contextlib.nullcontext()

    def save_weights(self, which, averages=(False, True)):
        """Writes the weights files `which` ("last" or "best"): raw (False), averaged (True), or both."""
        for average in averages if self.chief else ():
            with self.weights(average):
                write_atomically(self.run.weights_path(which, average), self._write_weights)

    def _write_weights(self, path):
        """`save_weights` on a disk with room for it: when it is full h5py does not end in a clean error."""
        size = sum(v.value.shape.num_elements() * v.value.dtype.size for v in self.model.weights)
        if hasattr(os, "posix_fallocate"):
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, size + 4096 * len(self.model.weights))
        self.model.save_weights(path, overwrite=True)
