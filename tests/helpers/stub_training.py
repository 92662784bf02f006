"""Train without computing: every file of a real training is written, by steps that only count."""

import dataclasses

import tensorflow as tf

from glow_tf.config import RunOptions
from glow_tf.training import devices, session
from glow_tf.training.run_folder import claimed
from glow_tf.training.trainer import Trainer
from helpers.tiny_runs import TINY

EXPERIMENT = dataclasses.replace(
    TINY, training=dataclasses.replace(TINY.training, batch_size=16, epoch_steps=2, epochs=2, patience=50)
)


class CountingStep:
    """A training step that adds 1 to every weight and shadow."""

    def __init__(self, state):
        self.state = state

    def __call__(self, batch):
        state = self.state
        for variable in (*state.model.trainable_variables, *state.ema.shadows):
            variable.assign(variable + 1)
        state.counters.step.assign_add(1)
        state.optimizer.advance()
        state.counters.sums.assign_add(tf.ones_like(state.counters.sums))

    def trace(self, element_spec):
        pass

    def load(self):
        pass

    def store(self):
        pass


class StubTrainer(Trainer):
    """A `Trainer` whose steps only count, and which needs no data.

    Its validation loss is a function of the number of steps; it falls with each epoch if none is given.
    """

    def __init__(self, path, experiment=EXPERIMENT, loss=lambda steps: -steps, **options):
        super().__init__(experiment, RunOptions(run_dir=str(path), **options), devices.strategy("cpu"))
        self.step = CountingStep(self.state)
        self.validation = lambda batches: {"loss": float(loss(self.state.steps)), "bits_x": 1.0}
        self.batches.validation = lambda *_: tf.data.Dataset.range(0)

    def initialize_from_data(self):
        for variable in self.state.model.trainable_variables:
            size = tf.size(variable)
            values = tf.cast(tf.range(size), variable.dtype) / tf.cast(size, variable.dtype)
            variable.assign(tf.reshape(values, variable.shape))
        self.state.ema.reset()
        for shadow in self.state.ema.shadows:  # so that EMA and raw weights are never alike
            shadow.assign(shadow + 0.5)

    def local_training_batches(self, input_pipelines, input_pipeline_id):
        return tf.data.Dataset.range(100)


def train(path, **options):
    """Train to the end in a run folder, as its only writer; return the trainer."""
    trainer = StubTrainer(path, **options)
    with claimed(trainer.run):
        trainer.callbacks = session.printing_callbacks(trainer)
        trainer.restore()
        trainer.train()
    return trainer
