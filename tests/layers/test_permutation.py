"""Test the order of a shuffle, and the inverses and determinants of the 1x1 convolution, without overflow."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import layers
from glow_tf.layers import host_variables
from glow_tf.layers.keras_contract import default_floatx
from glow_tf.layers.matrices import eliminate, inverse_and_log_abs_det

CHANNELS = 192
"""Channels of the coarsest level of a color image's flow of 5 levels."""


@pytest.mark.parametrize("factor", [1e3, 1e-3])
@pytest.mark.parametrize("lu", [False, True])
def test_1x1_convolution_log_det_does_not_overflow_in_float32(lu, factor):
    layer = layers.InvertibleConv1x1(lu=lu, seed=0)
    layer.build((None, 2, 3, CHANNELS))
    if lu:
        layer.U.assign(layer.U.value * factor)
        layer.log_S.assign_add(tf.fill([CHANNELS], np.float32(np.log(factor))))
    else:
        layer.W.assign(layer.W.value * factor)
    weights = [v.value for v in layer.trainable_variables]
    x = tf.random.stateless_normal([2, 2, 3, CHANNELS], [0, 1])
    with tf.GradientTape() as tape:
        z, log_det = layer.encode(x)
    expected = 2 * 3 * np.linalg.slogdet(layer.matrix().numpy().astype(np.float64))[1]
    assert abs(expected) == pytest.approx(2 * 3 * CHANNELS * np.log(1e3), rel=1e-6)
    np.testing.assert_allclose(log_det, [expected] * 2, rtol=1e-5)
    for gradient in tape.gradient(log_det, weights, unconnected_gradients="zero"):
        assert np.isfinite(gradient).all()
    reconstruction, inverse_log_det = layer.decode(z)
    np.testing.assert_allclose(reconstruction, x, atol=1e-3)
    np.testing.assert_array_equal(inverse_log_det, -log_det)


def test_order_of_a_shuffle_does_not_depend_on_the_default_type_of_keras():
    orders = []
    for floatx in ("float32", "float64", "bfloat16"):
        layer = layers.Shuffle(seed=0)
        with default_floatx(floatx):
            layer.build((None, 48))
        orders.append(layer.indices.numpy().tolist())
    assert orders[0] == orders[1] == orders[2]


def square_matrices():
    """Return matrices `[4, 6, 6]`: two general ones, a permutation, and one whose diagonal is zero."""
    rng = np.random.default_rng(0)
    zero_diagonal = rng.normal(size=(6, 6)) * (1 - np.eye(6))
    return np.stack([*rng.normal(size=(2, 6, 6)), np.eye(6)[rng.permutation(6)], zero_diagonal])


@pytest.mark.parametrize("function", [inverse_and_log_abs_det, eliminate])
def test_inverse_and_log_abs_det_match_numpy(function):
    w = square_matrices()
    inverse, log_abs_det = function(tf.constant(w))
    np.testing.assert_allclose(inverse, np.linalg.inv(w), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(log_abs_det, np.linalg.slogdet(w)[1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_elimination_in_float32_is_nearly_as_exact_as_numpy(scale):
    w = scale * np.linalg.qr(np.random.default_rng(0).normal(size=(4, 48, 48)))[0].astype(np.float32)
    w[0, :, 0] *= 1e-3  # a badly scaled matrix
    inverse, log_abs_det = eliminate(tf.constant(w))
    exact = np.linalg.inv(w.astype(np.float64))
    error, numpy_error = (np.linalg.norm(v - exact, axis=(1, 2)) for v in (inverse.numpy(), np.linalg.inv(w)))
    assert np.all(error < 10 * numpy_error + 1e-6 * np.linalg.norm(exact, axis=(1, 2)))
    np.testing.assert_allclose(log_abs_det, np.linalg.slogdet(w.astype(np.float64))[1], rtol=1e-6)


def test_gradients_of_inverse_and_log_abs_det_match_finite_differences():
    w, rng = tf.constant(square_matrices()), np.random.default_rng(1)
    upstream = tf.constant(rng.normal(size=(4, 6, 6)))

    def scalar(w):
        inverse, log_abs_det = inverse_and_log_abs_det(w)
        return tf.reduce_sum(inverse * upstream) + tf.reduce_sum(tf.sin(log_abs_det))

    def gradient(w):
        with tf.GradientTape() as tape:
            tape.watch(w)
            value = scalar(w)
        return tape.gradient(value, w)

    direction, step = tf.constant(rng.normal(size=(4, 6, 6))), 1e-6
    numeric = (scalar(w + step * direction) - scalar(w - step * direction)) / (2 * step)
    np.testing.assert_allclose(tf.reduce_sum(gradient(w) * direction), numeric, rtol=1e-6)
    with tf.GradientTape() as tape:  # of the gradient: second order
        tape.watch(w)
        projected = tf.reduce_sum(gradient(w) * direction)
    numeric = (gradient(w + step * direction) - gradient(w - step * direction)) / (2 * step)
    np.testing.assert_allclose(tape.gradient(projected, w), numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make_layer", "shape"),
    [
        (lambda: layers.Shuffle(seed=0), [2, 6]),
        pytest.param(
            lambda: layers.MultiScale(levels=1, depth=2, width=2, permutation="shuffle", seed=0),
            [2, 4, 4, 1],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["layer", "steps"],
)
def test_program_of_xla_for_a_gpu_is_given_the_order_of_a_shuffle(make_layer, shape, monkeypatch):
    monkeypatch.setattr(host_variables, "_on_gpu", lambda: True)
    layer, x = make_layer(), tf.random.stateless_normal(shape, [0, 1])
    layer.build(shape)

    def run(x):
        z, _ = layer.encode(x)
        return [*tf.nest.flatten(z), layer.decode(z)[0]]

    program = tf.function(run, jit_compile=True, autograph=False)
    orders = [v for v in layer.weights if v.dtype == "int32"]
    # TensorFlow keeps variables of int32 in the memory of the host, where the program itself could not read them.
    assert orders and not [v for v in program.get_concrete_function(x).graph.variables if v.dtype == tf.int32]
    for _ in range(2):
        for value, expected in zip(program(x), run(x), strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
        for order in orders:
            order.assign(np.roll(order.numpy(), 1))
