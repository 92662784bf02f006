"""Compare both updates of all weights, fused and stacked for XLA, with the plain code that they replace."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.config import ModelConfig
from glow_tf.model import Glow
from glow_tf.training.ema import ExponentialMovingAverage
from glow_tf.training.fused_update import WeightUpdate, reference_update
from glow_tf.training.optimizers import Adam, Adamax
from glow_tf.training.stacked_state import StackedState

ONE_LEVEL = ModelConfig(image_shape=(8, 8, 1), levels=1, depth=2, width=4)
TWO_LEVELS = dataclasses.replace(ONE_LEVEL, levels=2)
STEPS = 3
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
"""Largest relative difference, in norm, of an array."""


class Weights:
    """A model with general weights, its EMA and its optimizer: always the same ones."""

    def __init__(self, optimizer_class, dtype, config=ONE_LEVEL, freeze=None):
        self.model = Glow(config, dtype=dtype)
        if freeze:
            freeze(self.model.flow)
        self.variables = self.model.trainable_variables
        rng = np.random.default_rng(0)
        for variable in self.variables:
            variable.assign(rng.normal(size=variable.shape))
        self.ema = ExponentialMovingAverage(self.model, 0.9)
        for shadow, variable in zip(self.ema.shadows, self.variables, strict=True):
            shadow.assign(rng.normal(size=variable.shape))
        self.optimizer = optimizer_class(1e-2, beta1=0.8, beta2=0.95, weight_factor=0.999)
        self.optimizer.build(self.variables)
        self.state = (*self.variables, *self.ema.shadows, *self.optimizer.variables)
        self.start = [v.numpy() for v in self.state]

    def reset(self):
        """Return to the state in which they were made."""
        for variable, value in zip(self.state, self.start, strict=True):
            variable.assign(value)

    def arrays(self):
        """Return, by kind, a list of arrays parallel to the trainable variables."""
        kinds = {
            "weight": self.variables,
            "shadow": self.ema.shadows,
            "first moment": self.optimizer.first_moments,
            "second moment": self.optimizer.second_moments,
        }
        return {kind: [v.numpy() for v in variables] for kind, variables in kinds.items()}


def random_gradients(variables, dtype, seed):
    rng = np.random.default_rng([1, seed])
    return [tf.constant(rng.normal(size=variable.shape), dtype) for variable in variables]


class Fused:
    """The update of a plain graph."""

    def __init__(self, weights, ema=True):
        self.weights = weights
        self.update = WeightUpdate(weights.model, weights.optimizer, weights.ema if ema else None)

    @tf.function(autograph=False)
    def __call__(self, gradients, loss=1.0):
        """Update once, in a graph as the training step does; return the norm and whether it was accepted."""
        norm, accepted = self.update(gradients, tf.convert_to_tensor(loss))
        self.weights.optimizer.advance(accepted)
        return norm, accepted

    def load(self):
        """Do nothing: the weights are variables, not copies."""


class Stacked:
    """The update that XLA compiles."""

    def __init__(self, weights, ema=True):
        strategy = tf.distribute.get_strategy()
        self.weights = weights
        self.state = StackedState(weights.model, weights.optimizer, weights.ema if ema else None, strategy)

    def __call__(self, gradients, loss=1.0):
        result = self._update(gradients, tf.convert_to_tensor(loss))
        self.state.store()
        return result

    @tf.function(autograph=False)
    def _update(self, gradients, loss):
        stacks = [tf.stack([gradients[i] for i in group]) for group in self.state.groups]
        norm, accepted = self.state.update(stacks, loss)
        self.weights.optimizer.advance(accepted)
        return norm, accepted

    def load(self):
        self.state.load()


@functools.cache
def make_update(form, optimizer_class, dtype):
    return form(Weights(optimizer_class, dtype))


def shared_update(form, optimizer_class, dtype):
    """Return the update of a configuration, compiled once for all tests, with its weights at their start."""
    update = make_update(form, optimizer_class, dtype)
    update.weights.reset()
    update.load()
    return update


def slow_unless(optimizer, dtype, form):
    """Return the marks of a case: each update that is traced or compiled takes its time, so one is among the quick."""
    return () if (optimizer, dtype, form) == (Adamax, "float32", Fused) else pytest.mark.slow


@pytest.mark.parametrize(
    ("optimizer_class", "dtype", "form"),
    [
        pytest.param(optimizer, dtype, form, marks=slow_unless(optimizer, dtype, form))
        for optimizer, dtype in ((Adamax, "float32"), (Adamax, "float64"), (Adam, "float32"))
        for form in (Fused, Stacked)
    ],
)
def test_update_matches_the_plain_code(optimizer_class, dtype, form):
    plain, update = Weights(optimizer_class, dtype), shared_update(form, optimizer_class, dtype)
    weights = update.weights
    start = plain.arrays()
    for k in range(STEPS):
        gradients = random_gradients(plain.variables, dtype, k)
        norm, accepted = update(gradients, tf.constant(1.0))
        assert bool(accepted)
        expected_norm = np.sqrt(sum(np.sum(np.square(g.numpy(), dtype=np.float64)) for g in gradients))
        np.testing.assert_allclose(norm, expected_norm, rtol=10 * TOLERANCE[dtype])
        reference_update(plain.optimizer, gradients, plain.variables, plain.ema)
        plain.optimizer.advance()
    actual, expected = weights.arrays(), plain.arrays()
    for kind, arrays in expected.items():
        for variable, a, b, before in zip(plain.variables, actual[kind], arrays, start[kind], strict=True):
            message = f"{kind} of {variable.path}"
            assert a.dtype == b.dtype == dtype, message
            assert np.linalg.norm(a - b) <= TOLERANCE[dtype] * np.linalg.norm(b), message
            assert np.any(b != before), message
    assert int(weights.optimizer.iterations) == int(plain.optimizer.iterations) == STEPS


def freeze_an_actnorm(flow):
    flow.step_0_1.actnorm.trainable = False


def freeze_a_step(flow):
    flow.step_1_0.trainable = False


PARTS = {
    "an actnorm is frozen": (TWO_LEVELS, freeze_an_actnorm),
    "a step is frozen": (TWO_LEVELS, freeze_a_step),
    "no weight outside of the steps": (dataclasses.replace(ONE_LEVEL, learn_top=False), None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("form", [Fused, Stacked])
def test_update_of_a_part_of_the_weights_matches_the_plain_code(name, form):
    weights, plain = (Weights(Adamax, "float32", *PARTS[name]) for _ in range(2))
    gradients = random_gradients(plain.variables, "float32", 0)
    form(weights)(gradients)
    reference_update(plain.optimizer, gradients, plain.variables, plain.ema)
    for kind, arrays in plain.arrays().items():
        for a, b in zip(weights.arrays()[kind], arrays, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=kind)


@pytest.mark.parametrize("form", [Fused, Stacked])
def test_weights_frozen_after_the_ema_was_made_are_refused(form):
    weights = Weights(Adamax, "float32")
    freeze_an_actnorm(weights.model.flow)
    with pytest.raises(ValueError, match="not those of the EMA"):
        form(weights)


@pytest.mark.slow
@pytest.mark.parametrize("form", [Fused, Stacked])
def test_update_without_ema_moves_the_same_weights_and_no_shadow(form):
    with_ema, without = shared_update(form, Adamax, "float32"), Weights(Adamax, "float32")
    gradients = random_gradients(without.variables, "float32", 0)
    with_ema(gradients)
    shadows = without.arrays()["shadow"]
    form(without, ema=False)(gradients)
    for kind in ("weight", "first moment", "second moment"):
        for a, b in zip(without.arrays()[kind], with_ema.weights.arrays()[kind], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=kind)
    for shadow, before in zip(without.ema.shadows, shadows, strict=True):
        np.testing.assert_array_equal(shadow, before)


@pytest.mark.parametrize(
    ("optimizer_class", "form"),
    [
        pytest.param(optimizer, form, marks=slow_unless(optimizer, "float32", form))
        for optimizer in (Adamax, Adam)
        for form in (Fused, Stacked)
    ],
)
def test_update_from_values_that_are_not_finite_changes_nothing(optimizer_class, form):
    update = shared_update(form, optimizer_class, "float32")
    weights = update.weights
    before = weights.arrays()
    for gradient, loss in ((np.nan, 1.0), (np.inf, 1.0), (1.0, np.nan), (1.0, -np.inf)):
        gradients = random_gradients(weights.variables, "float32", 0)
        gradients[-1] = tf.fill(gradients[-1].shape, np.float32(gradient))
        _, accepted = update(gradients, tf.constant(loss))
        assert not bool(accepted) and int(weights.optimizer.iterations) == 0
        for kind, arrays in weights.arrays().items():
            for a, b in zip(arrays, before[kind], strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{kind}, {gradient}, {loss}")
