"""Test that checkpoints and callbacks read and set the weights of a step that XLA compiled, which keeps its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.commands import largest_difference, weights
from helpers.tiny_trainings import change, trainer


class EpochSetter(keras.callbacks.Callback):
    """A callback that only hears of epochs, and sets the first weight at their ends."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.trainable_variables[0].assign(tf.fill(self.model.trainable_variables[0].shape, 9.0))


@pytest.mark.slow
def test_checkpoint_within_an_epoch_holds_the_newest_state_of_a_compiled_step_and_what_a_callback_has_set(tmp_path):
    first = trainer(tmp_path / "run", change(learning_rate=1e-3), jit_compile="on", checkpoint_minutes=1e-6)
    first.callbacks = [EpochSetter()]
    real = first.step

    class Step:
        trace, load, store = real.trace, real.load, real.store

        def __call__(self, batch):
            if first.state.steps == 6:  # in the second epoch
                raise KeyboardInterrupt
            real(batch)

    first.step = Step()
    with pytest.raises(KeyboardInterrupt):
        first.train()
    real.store()
    resumed = trainer(tmp_path / "run")
    assert resumed.restore() and resumed.state.steps == 6
    for kind in ("model", "ema", "optimizer"):
        for a, b in zip(*(getattr(t.state, kind).variables for t in (first, resumed)), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=a.name)
    np.testing.assert_allclose(resumed.state.model.trainable_variables[0], 9.0, atol=0.1)


class Setter(keras.callbacks.Callback):
    """A callback that reads the weights after each step, and sets the first one at several moments."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def add(self, value):
        self.model.trainable_variables[0].assign_add(tf.fill(self.model.trainable_variables[0].shape, value))

    def on_epoch_begin(self, epoch, logs=None):
        self.add(0.25)

    def on_train_batch_begin(self, batch, logs=None):
        self.add(0.5)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.get_weights())
        self.add(1.0)

    def on_epoch_end(self, epoch, logs=None):
        self.add(2.0)


@pytest.mark.slow
def test_callbacks_read_and_set_the_weights_of_a_compiled_step(tmp_path):
    seen = {}
    for jit_compile in ("off", "on"):
        one, callback = trainer(tmp_path / jit_compile, change(epoch_steps=2), jit_compile=jit_compile), Setter()
        one.callbacks = [callback]
        one.train()
        seen[jit_compile] = callback.seen
    assert len(seen["on"]) == 4
    for plain, compiled in zip(seen["off"], seen["on"], strict=True):
        for a, b in zip(plain, compiled, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
    for name in ("last", "last_average"):
        assert largest_difference(weights(tmp_path / "on", name), weights(tmp_path / "off", name)) < 1e-5
