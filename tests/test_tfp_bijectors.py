"""Test moments and copies of bijectors, beside those of TFP's own bijectors, and `validate_args`."""

import copy

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import layers
from helpers import layer_cases
from helpers.bijector_cases import copy_tensors, normal, shared_bijector

tfb, tfd = tfp.bijectors, tfp.distributions
DOUBLE = "float64"


def affine(layer, shape):
    """Make TFP's bijector of the same affine map of vectors, from latents to data."""
    zero, eye = tf.zeros([1, *shape], layer.dtype), tf.eye(shape[0], dtype=layer.dtype)
    shift = layer.decode(zero)[0]
    matrix = tf.transpose(layer.decode(eye)[0] - shift)
    return tfb.Chain([tfb.Shift(shift[0]), tfb.ScaleMatvecLinearOperator(tf.linalg.LinearOperatorFullMatrix(matrix))])


def test_affine_layers_have_the_moments_of_tfps():
    """A constant Jacobian gives entropy, mean, mode and covariance; a permutation gives standard deviations too."""
    base = tfd.MultivariateNormalDiag(tf.range(5, dtype=tf.float64), tf.range(1, 6, dtype=tf.float64))
    for name in ("actnorm of vectors", "conv1x1 of vectors", "conv1x1 lu of vectors", "reverse"):
        case, layer, bijector = shared_bijector(name)
        assert bijector.is_constant_jacobian
        ours, theirs = (tfd.TransformedDistribution(base, b) for b in (bijector, affine(layer, case.shape)))
        for question in ("entropy", "mean", "mode", "covariance"):
            np.testing.assert_allclose(
                getattr(ours, question)(), getattr(theirs, question)(), atol=1e-9, err_msg=question
            )
    reverse = tfd.TransformedDistribution(base, tfb.Permute([4, 3, 2, 1, 0]))
    np.testing.assert_array_equal(ours.stddev(), reverse.stddev())
    chain = shared_bijector("sequential")[2]
    assert chain.is_constant_jacobian and not chain._is_permutation
    for name in ("squeeze", "shuffle"):
        assert shared_bijector(name)[2]._is_permutation
    for name in ("prior", "prior conditional"):
        assert shared_bijector(name)[2].is_constant_jacobian
    for name in ("additive of vectors", "affine of vectors", "split", "glow", "glow flat"):
        assert not shared_bijector(name)[2].is_constant_jacobian
    _, layer, bijector = shared_bijector("additive of vectors")
    with pytest.raises(NotImplementedError):  # a constant determinant alone is none: TFP would map the mean
        tfd.TransformedDistribution(normal((6,)), bijector).mean()


def gradients_of(bijector, x):
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(bijector.inverse_log_det_jacobian(x)) + tf.reduce_sum(bijector.inverse(x) ** 2)
    return value, tape.gradient(value, bijector.trainable_variables)


@pytest.mark.slow
def test_copies_share_or_own_their_weights_as_tfps_do():
    case, _layer, bijector = shared_bijector("step 1x1 affine")
    x = layer_cases.images(case)
    value, _ = gradients_of(bijector, x)
    theirs = tfb.Scale(tf.Variable(2.0))
    for b in (bijector, theirs):
        shared, own = b.copy(name="copied"), copy.deepcopy(b)
        assert shared.name == "copied" and shared != b and b.copy() == b and hash(b.copy()) == hash(b)
        assert own != b
        assert {id(v) for v in shared.trainable_variables} == {id(v) for v in b.trainable_variables}
        assert not {id(v) for v in own.trainable_variables} & {id(v) for v in b.trainable_variables}
        assert len(own.trainable_variables) == len(b.trainable_variables)
    own = copy.deepcopy(bijector)
    copied_value, gradients = gradients_of(own, x)
    assert copied_value == value and all(g is not None for g in gradients)
    own.trainable_variables[0].assign_add(tf.ones_like(own.trainable_variables[0]))
    assert gradients_of(own, x)[0] != value and gradients_of(bijector, x)[0] == value
    assert {id(v) for v in own.trainable_variables} == {id(v.value) for v in own.layer.trainable_variables}


def test_validate_args_finds_values_that_are_not_finite_in_a_graph():
    layer = layers.ActNorm(dtype=DOUBLE)
    bijector, x = layer.as_bijector([2], validate_args=True), np.array([[1.0, np.nan]])
    assert np.isnan(layer.as_bijector([2]).inverse(x)).any() and bijector.validate_args
    with pytest.raises(tf.errors.InvalidArgumentError, match="inverse: expected finite values"):
        tf.function(bijector.inverse)(x)
    np.testing.assert_array_equal(bijector.forward(copy_tensors(tf.ones([1, 2], DOUBLE))), 1)
