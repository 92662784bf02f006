"""Compare every faster computation of a layer with the plain computation, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import layers
from glow_tf.layers import convolutions, shared_steps, statistics
from glow_tf.layers import network as network_module
from glow_tf.layers.network import mixed_precision
from glow_tf.layers.tensors import sum_per_example
from helpers import layer_cases
from helpers.rounding import rounding_error

pytestmark = pytest.mark.graph_optimizer


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
    layer = layers.CouplingNetwork(6, width=7, seed=0, dtype=dtype, **options)
    layer.build((None, *shape))
    layer_cases.perturb(layer.trainable_variables, np.random.default_rng(1), 0.3)
    return layer


@pytest.mark.parametrize("shape", [(5, 4, 3), (2, 2, 1), (1, 3, 2), (1, 1, 2)])
def test_coupling_network_matches_plain_convolutions(shape):
    layer = network(shape)
    x = tf.constant(np.random.default_rng(3).normal(size=(3, *shape)))
    assert_same(layer, layer.reference_call, x, layer)


def test_coupling_network_accepts_unknown_image_sizes():
    layer = network((None, None, 3))
    x = tf.constant(np.random.default_rng(3).normal(size=(2, 5, 4, 3)))
    run = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 3], layer_cases.DTYPE)])
    np.testing.assert_allclose(run(x), layer.reference_call(x), rtol=1e-9, atol=1e-11)
    assert run(x[:0]).shape == (0, 5, 4, 6)


def test_sum_of_neighbors_is_the_adjoint_of_neighbors():
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.normal(size=(2, 4, 3, 2))), tf.constant(rng.normal(size=(2, 4, 3, 18)))
    for sign in (1, -1):
        wide = tf.reshape(convolutions.neighbors(convolutions.pad(x), sign), y.shape)
        product = tf.reduce_sum(wide * y)
        adjoint_product = tf.reduce_sum(x * convolutions.sum_of_neighbors(y, -sign))
        np.testing.assert_allclose(product, adjoint_product)
    center = tf.reshape(convolutions.neighbors(convolutions.pad(x)), [2, 4, 3, 9, 2])[..., 4, :]
    np.testing.assert_array_equal(center, x)


@pytest.mark.parametrize("permutation", ["1x1", "lu"])
@pytest.mark.parametrize("method", ["encode", "decode"])
def test_fused_actnorm_and_1x1_convolution_match_the_plain_step(permutation, method):
    layer = layer_cases.shared_layer(f"step {permutation} affine")
    x = layer_cases.images(layer_cases.CASES["step 1x1 affine"])
    assert_same(getattr(layer, method), getattr(layer, f"reference_{method}"), x, layer)


@pytest.mark.parametrize(
    ("method", "permutation", "recompute", "jit_compile"),
    [
        ("encode", "1x1", True, False),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("encode", "shuffle", False, False),
                ("decode", "shuffle", True, False),
                ("decode", "1x1", False, False),
                ("encode", "1x1", False, True),
                ("encode", "lu", True, True),
                ("decode", "1x1", True, True),
                ("decode", "shuffle", False, True),
                ("encode", "1x1", False, "unrolled"),
                ("encode", "shuffle", True, "unrolled"),
            )
        ),
    ],
)
def test_steps_of_a_graph_match_the_plain_loop(method, permutation, recompute, jit_compile):
    steps, x = steps_and_input(permutation)
    weights = [v.value for step in steps for v in step.trainable_variables]

    @tf.function(autograph=False, jit_compile=bool(jit_compile))
    def graph(x):
        with shared_steps.unrolled_steps(jit_compile == "unrolled"):
            return with_gradients(lambda x: shared_steps.run_steps(steps, method, x, recompute), x, weights)

    expected = with_gradients(lambda x: shared_steps.run_steps_plainly(steps, method, x), x, weights)
    for a, b in zip(tf.nest.flatten(graph(x)), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "recompute"), [("encode", False), ("decode", True)])
def test_gradients_taken_outside_of_a_compiled_function_match_the_plain_loop(method, recompute):
    steps, x = steps_and_input("1x1", depth=2)
    weights = [v.value for step in steps for v in step.trainable_variables]
    compiled = tf.function(
        lambda x: shared_steps.run_steps(steps, method, x, recompute), autograph=False, jit_compile=True
    )
    outside = with_gradients(compiled, x, weights)
    expected = with_gradients(lambda x: shared_steps.run_steps_plainly(steps, method, x), x, weights)
    for a, b in zip(tf.nest.flatten(outside), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("recompute", "graph", "jit_compile"),
    [
        (True, False, False),
        pytest.param(True, True, False, marks=pytest.mark.slow),
        pytest.param(False, True, True, marks=pytest.mark.slow),
    ],
)
def test_second_order_gradients_match_the_plain_loop(recompute, graph, jit_compile):
    steps, x = steps_and_input("1x1", depth=2)
    weight = steps[0].coupling.network.W_1.value
    direction = tf.constant(np.random.default_rng(4).normal(size=x.shape))

    def second_order(run):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                z, log_det = run(x)
                value = tf.reduce_sum(z**2) + tf.reduce_sum(log_det)
            projected = tf.reduce_sum(tape.gradient(value, x) * direction)
        return outer.gradient(projected, [x, weight])

    def compute():
        return second_order(lambda x: shared_steps.run_steps(steps, "encode", x, recompute))

    compute = tf.function(compute, autograph=False, jit_compile=jit_compile) if graph else compute
    expected = second_order(lambda x: shared_steps.run_steps_plainly(steps, "encode", x))
    for a, b in zip(compute(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.slow
def test_forward_mode_is_right_or_refused():
    steps, x = steps_and_input("1x1", depth=2)
    direction = tf.constant(np.random.default_rng(4).normal(size=x.shape))

    def tangents(function, x=x):
        with tf.autodiff.ForwardAccumulator(x, direction) as accumulator:
            outputs = function(x)
        return accumulator.jvp(outputs)

    def recomputed(x):
        return shared_steps.run_steps(steps, "encode", x, recompute=True)

    with pytest.raises(NotImplementedError, match="forward-mode derivatives do not go through recompute=True"):
        tangents(recomputed)

    def run(x):
        return shared_steps.run_steps(steps, "encode", x)

    with pytest.raises(NotImplementedError, match="do not go through the loop of a compiled function"):
        tf.function(lambda x: tangents(run, x), autograph=False, jit_compile=True)(x)
    expected = tangents(lambda x: shared_steps.run_steps_plainly(steps, "encode", x))
    for function in (tf.function(recomputed, autograph=False), tf.function(run, autograph=False, jit_compile=True)):
        for a, b in zip(tangents(function), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def steps_and_input(permutation, depth=3):
    """Return steps with general weights, and an input, in float64."""
    flow = layers.MultiScale(levels=1, depth=depth, width=5, permutation=permutation, seed=1, dtype=layer_cases.DTYPE)
    flow.build((None, 4, 4, 1))
    layer_cases.perturb(flow.trainable_variables, np.random.default_rng(1), 0.1)
    return flow.steps(0), tf.constant(np.random.default_rng(3).normal(size=(3, 2, 2, 4)))


def parts_of(step):
    """Return every layer and every trainable variable of a step."""
    return [*step._flatten_layers(), *step.trainable_variables]


@pytest.mark.parametrize("permutation", ["1x1", "lu", "shuffle"])
def test_order_of_a_steps_values_does_not_depend_on_what_is_frozen(permutation):
    step = steps_and_input(permutation)[0][0]
    expected = [id(v) for v in shared_steps.step_weights(step)]
    for part in parts_of(step):
        part.trainable = False
        assert [id(v) for v in shared_steps.step_weights(step)] == expected, part
        part.trainable = True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("permutation", "recompute", "jit_compile"),
    [
        *((permutation, False, False) for permutation in ("1x1", "lu", "shuffle")),
        *((permutation, True, False) for permutation in ("1x1", "shuffle")),
        *((permutation, False, True) for permutation in ("lu", "shuffle")),
    ],
)
def test_frozen_parts_of_steps_change_no_value_and_no_other_gradient(permutation, recompute, jit_compile):
    steps, x = steps_and_input(permutation)
    expected = with_gradients(
        lambda x: shared_steps.run_steps_plainly(steps, "encode", x), x, [v.value for v in trainable(steps)]
    )
    before = trainable(steps)
    network = steps[1].coupling.network
    for part in (steps[0].actnorm, steps[1].actnorm.b, network.actnorm_2, network.conv_3.b, steps[2].permutation):
        part.trainable = False
    free = trainable(steps)
    assert 0 < len(free) < len(before)

    @tf.function(autograph=False, jit_compile=jit_compile)
    def graph(x):
        return with_gradients(
            lambda x: shared_steps.run_steps(steps, "encode", x, recompute), x, [v.value for v in free]
        )

    values, (dx, *gradients) = graph(x)
    gradients_by_path = {v.path: g for v, g in zip(before, expected[1][1:], strict=True)}
    for a, b in zip([*values, dx], [*expected[0], expected[1][0]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    for v, gradient in zip(free, gradients, strict=True):
        np.testing.assert_allclose(gradient, gradients_by_path[v.path], rtol=1e-9, atol=1e-11, err_msg=v.path)


def trainable(steps):
    return [v for step in steps for v in step.trainable_variables]


def test_sigmoid_coupling_gradient_matches_autodiff():
    layer = layer_cases.shared_layer("affine")

    def plain(x):
        z1, z2 = tf.split(x, 2, -1)
        h = layer.network.reference_call(z1)
        scale = tf.sigmoid(h[..., 1::2] + 2.0)
        return tf.concat([z1, (z2 + h[..., 0::2]) * scale], -1), sum_per_example(tf.math.log(scale))

    assert_same(layer.encode, plain, layer_cases.images(layer_cases.CASES["affine"]), layer)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision_network_is_close_to_float32(dtype):
    layer = network((4, 4, 3), "float32", network_dtype=dtype)
    x = tf.constant(np.random.default_rng(3).normal(size=(2, 4, 4, 3)), tf.float32)
    exact = layer(x)
    with mixed_precision():
        near = layer(x)
    assert near.dtype == tf.float32
    error = float(tf.reduce_max(tf.abs(near - exact)) / tf.reduce_max(tf.abs(exact)))
    # The largest of the errors of 192 outputs; over 30 seeds it was at most 3.6 times the expected one.
    assert 0 < error < 8 * rounding_error(dtype, convolutions=3)


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("positions", [1, 40, 4096])
def test_initialization_in_chunks_matches_the_plain_network(fresh, positions, monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK_POSITIONS", positions)
    monkeypatch.setattr(statistics, "BLOCKS", 7)  # of one channel each
    monkeypatch.setattr(statistics, "MIN_BLOCK", 1 if positions == 40 else 2)
    for name in ("conv1_mean_and_std", "conv2_mean_and_std"):  # not as they were traced for another size
        monkeypatch.setattr(network_module, name, getattr(statistics, name).__wrapped__)
    if positions == 4096:
        monkeypatch.setattr(tf, "while_loop", None)  # one chunk needs no loop
    shape = (4, 5, 3)
    one, other = network(shape), network(shape)
    if fresh:
        for layer in (one, other):
            layer.conv_3.W.assign(tf.zeros_like(layer.conv_3.W.value))
    x = tf.constant(np.random.default_rng(positions).normal(size=(5, *shape)) + 2.0)
    np.testing.assert_allclose(one.initialize(x), other.reference_call(x, initialize=True), rtol=1e-9, atol=1e-11)
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_recomputed_step_keeps_its_precision_where_the_gradient_is_taken_outside():
    flow = layers.MultiScale(levels=1, depth=2, width=8, network_dtype="bfloat16", recompute=True, seed=0)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 8, 8, 2)), tf.float32)
    flow.build(x.shape)
    layer_cases.perturb(flow.trainable_variables, np.random.default_rng(1), 0.1)
    weights = [variable.value for variable in flow.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        with mixed_precision():
            loss = tf.reduce_sum(flow.encode(x)[1])
    with mixed_precision():
        inside = tape.gradient(loss, weights)
    for outer, inner in zip(tape.gradient(loss, weights), inside, strict=True):
        np.testing.assert_allclose(outer, inner, rtol=1e-4, atol=1e-6)  # bfloat16 rounds to 4e-3
