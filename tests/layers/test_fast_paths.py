"""Compare every faster computation of a layer with the plain composition of its parts, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import layers
from glow_tf.layers import convolutions, moments
from glow_tf.layers import network as network_module
from glow_tf.layers.flow import sum_per_example
from glow_tf.layers.network import mixed_precision
from helpers import layer_cases
from helpers.rounding import rounding_error


def with_gradients(function, x, weights):
    """Return `(values, gradients)` of a function of `x`, by `x` and by weights, under random upstream gradients."""
    rng = np.random.default_rng(2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = tf.nest.flatten(function(x))
        loss = tf.add_n([tf.reduce_sum(v * rng.normal(size=v.shape)) for v in values])
    return values, tape.gradient(loss, [x, *weights])


def assert_same(fast, plain, x, layer):
    weights = [v.value for v in layer.trainable_variables]
    (a, da), (b, db) = with_gradients(fast, x, weights), with_gradients(plain, x, weights)
    for one, other in zip([*a, *da], [*b, *db], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def network(shape, dtype=layer_cases.DTYPE, **options):
    made = layers.CouplingNetwork(6, width=7, seed=0, dtype=dtype, **options)
    made.build((None, *shape))
    layer_cases.perturb(made.trainable_variables, np.random.default_rng(1), 0.3)
    return made


@pytest.mark.parametrize("shape", [(5, 4, 3), (2, 2, 1), (1, 3, 2), (1, 1, 2)])
def test_coupling_network_matches_plain_convolutions(shape):
    made = network(shape)
    x = tf.constant(np.random.default_rng(3).normal(size=(3, *shape)))
    assert_same(made, made.plain, x, made)


def test_coupling_network_accepts_unknown_image_sizes():
    made = network((None, None, 3))
    x = tf.constant(np.random.default_rng(3).normal(size=(2, 5, 4, 3)))
    run = tf.function(made, input_signature=[tf.TensorSpec([None, None, None, 3], layer_cases.DTYPE)])
    np.testing.assert_allclose(run(x), made.plain(x), rtol=1e-9, atol=1e-11)


def test_sum_of_neighbors_is_the_adjoint_of_neighbors():
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.normal(size=(2, 4, 3, 2))), tf.constant(rng.normal(size=(2, 4, 3, 18)))
    for sign in (1, -1):
        wide = tf.reshape(convolutions.neighbours(convolutions.pad(x), sign), y.shape)
        product = tf.reduce_sum(wide * y)
        adjoint_product = tf.reduce_sum(x * convolutions.sum_of_neighbours(y, -sign))
        np.testing.assert_allclose(product, adjoint_product)
    center = tf.reshape(convolutions.neighbours(convolutions.pad(x)), [2, 4, 3, 9, 2])[..., 4, :]
    np.testing.assert_array_equal(center, x)


@pytest.mark.parametrize("permutation", ["1x1", "lu"])
@pytest.mark.parametrize("method", ["encode", "decode"])
def test_fused_actnorm_and_1x1_convolution_match_the_plain_step(permutation, method):
    layer = layer_cases.shared_layer(f"step {permutation} affine")
    x = layer_cases.images(layer_cases.CASES["step 1x1 affine"])
    assert_same(getattr(layer, method), getattr(layer, f"plain_{method}"), x, layer)


def test_sigmoid_coupling_gradient_matches_autodiff():
    layer = layer_cases.shared_layer("affine")

    def plain(x):
        z1, z2 = tf.split(x, 2, -1)
        h = layer.network.plain(z1)
        scale = tf.sigmoid(h[..., 1::2] + 2.0)
        return tf.concat([z1, (z2 + h[..., 0::2]) * scale], -1), sum_per_example(tf.math.log(scale))

    assert_same(layer.encode, plain, layer_cases.images(layer_cases.CASES["affine"]), layer)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision_network_is_close_to_float32(dtype):
    made = network((4, 4, 3), "float32", network_dtype=dtype)
    x = tf.constant(np.random.default_rng(3).normal(size=(2, 4, 4, 3)), tf.float32)
    exact = made(x)
    with mixed_precision():
        near = made(x)
    assert near.dtype == tf.float32
    error = float(tf.reduce_max(tf.abs(near - exact)) / tf.reduce_max(tf.abs(exact)))
    # The largest of the errors of 192 outputs; over 30 seeds it was at most 3.6 times the expected one.
    assert 0 < error < 8 * rounding_error(dtype, convolutions=3)


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("part", [1, 40, 4096])
def test_initialization_in_parts_matches_the_plain_network(fresh, part, monkeypatch):
    monkeypatch.setattr(moments, "PART", part)
    for name in ("first_moments", "second_moments"):  # not as they were traced for another PART
        monkeypatch.setattr(network_module, name, getattr(moments, name).python_function)
    shape = (4, 5, 3)
    one, other = network(shape), network(shape)
    if fresh:
        for made in (one, other):
            made.conv_3.W.assign(tf.zeros_like(made.conv_3.W.value))
    x = tf.constant(np.random.default_rng(part).normal(size=(5, *shape)) + 2.0)
    np.testing.assert_allclose(one.initialize(x), other.plain(x, initialize=True), rtol=1e-9, atol=1e-11)
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
