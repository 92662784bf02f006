"""Compare the fused update of all weights with the plain code that it replaces."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.config import ModelConfig
from glow_tf.model import Glow
from glow_tf.training.ema import ExponentialMovingAverage
from glow_tf.training.fused_update import WeightUpdate, reference_update
from glow_tf.training.optimizers import Adam, Adamax

CONFIG = ModelConfig(image_shape=(8, 8, 1), levels=2, depth=2, width=4)
STEPS = 3
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
"""Largest relative difference, in norm, of an array."""


class Weights:
    """A model with general weights, its EMA and its optimizer: always the same ones."""

    def __init__(self, optimizer_class, dtype):
        self.model = Glow(CONFIG, dtype=dtype)
        self.variables = self.model.trainable_variables
        rng = np.random.default_rng(0)
        for variable in self.variables:
            variable.assign(rng.normal(size=variable.shape))
        self.ema = ExponentialMovingAverage(self.model, 0.9)
        for shadow, variable in zip(self.ema.shadows, self.variables, strict=True):
            shadow.assign(rng.normal(size=variable.shape))
        self.optimizer = optimizer_class(1e-2, beta1=0.8, beta2=0.95, weight_factor=0.999)
        self.optimizer.build(self.variables)

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


def apply_in_graph(update, gradients, accepted):
    """Call a `WeightUpdate` once, in a graph as the training step does."""

    @tf.function(autograph=False)
    def apply():
        update(gradients, tf.constant(accepted))

    apply()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("optimizer_class", [Adamax, Adam])
def test_fused_update_matches_the_plain_code(optimizer_class, dtype):
    fused, plain = Weights(optimizer_class, dtype), Weights(optimizer_class, dtype)
    update = WeightUpdate(fused.model, fused.optimizer, fused.ema)

    @tf.function(autograph=False)
    def step(gradients):
        update(gradients, tf.constant(True))
        fused.optimizer.advance()

    start = plain.arrays()
    for k in range(STEPS):
        gradients = random_gradients(plain.variables, dtype, k)
        step(gradients)
        reference_update(plain.optimizer, gradients, plain.variables, plain.ema)
        plain.optimizer.advance()
    actual, expected = fused.arrays(), plain.arrays()
    for kind, arrays in expected.items():
        for variable, a, b, before in zip(plain.variables, actual[kind], arrays, start[kind], strict=True):
            message = f"{kind} of {variable.path}"
            assert a.dtype == b.dtype == dtype, message
            assert np.linalg.norm(a - b) <= TOLERANCE[dtype] * np.linalg.norm(b), message
            assert np.any(b != before), message
    assert int(fused.optimizer.iterations) == int(plain.optimizer.iterations) == STEPS


def test_fused_update_without_ema_moves_the_same_weights_and_no_shadow():
    with_ema, without = Weights(Adamax, "float32"), Weights(Adamax, "float32")
    gradients = random_gradients(without.variables, "float32", 0)
    apply_in_graph(WeightUpdate(with_ema.model, with_ema.optimizer, with_ema.ema), gradients, True)
    shadows = without.arrays()["shadow"]
    apply_in_graph(WeightUpdate(without.model, without.optimizer), gradients, True)
    for kind in ("weight", "first moment", "second moment"):
        for a, b in zip(without.arrays()[kind], with_ema.arrays()[kind], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=kind)
    for shadow, before in zip(without.ema.shadows, shadows, strict=True):
        np.testing.assert_array_equal(shadow, before)


def test_rejected_update_changes_nothing():
    weights = Weights(Adamax, "float32")
    before = weights.arrays()
    gradients = [tf.fill(variable.shape, np.float32(np.nan)) for variable in weights.variables]
    apply_in_graph(WeightUpdate(weights.model, weights.optimizer, weights.ema), gradients, False)
    for kind, arrays in weights.arrays().items():
        for a, b in zip(arrays, before[kind], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=kind)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_squared_norm_is_that_of_all_gradients(dtype):
    weights = Weights(Adam, dtype)
    gradients = random_gradients(weights.variables, dtype, 0)
    norm = WeightUpdate(weights.model, weights.optimizer).squared_norm(gradients)
    expected = sum(np.sum(np.square(gradient.numpy(), dtype=np.float64)) for gradient in gradients)
    np.testing.assert_allclose(norm, expected, rtol=10 * TOLERANCE[dtype])
