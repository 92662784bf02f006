"""Test that values after an update of the weights are never stale, in eager code and in graphs, and computed once."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import bijectors, layers
from helpers import layer_cases
from helpers.bijector_cases import (
    REPRESENTATIVE_CASES,
    base_of,
    distribution_of,
    latents,
    own_bijector,
    shared_bijector,
)
from helpers.layer_cases import ONE_OF_EACH_CLASS

tfb, tfd = tfp.bijectors, tfp.distributions

WITH_WEIGHTS = {*ONE_OF_EACH_CLASS, *REPRESENTATIVE_CASES} - {"shuffle", "reverse", "squeeze"}


@pytest.mark.parametrize("name", sorted(WITH_WEIGHTS))
def test_bijector_values_are_never_stale_in_eager_code(name):
    case, layer, bijector = own_bijector(name)
    labels = layer_cases.labels(case)
    distribution = distribution_of(layer, case.shape, bijector)
    # A joint distribution traces its parts, which takes a second for a deep flow.
    joint = tfd.JointDistributionSequential([distribution]) if name in REPRESENTATIVE_CASES else None
    x = layer_cases.images(case, seed=1)
    z = bijector.inverse(x)
    before = (bijector.inverse_log_det_jacobian(x), distribution.log_prob(x), joint and joint.log_prob([x]))
    bijector.forward(z)
    layer_cases.perturb(layer.trainable_variables, np.random.default_rng(3), 0.01)
    expected, log_det = layer.encode(x, labels)
    assert layer_cases.max_abs_diff(expected, z) > 1e-3, "the update matters"
    assert layer_cases.max_abs_diff(bijector.inverse(x), expected) == 0
    assert layer_cases.max_abs_diff(bijector.forward(z), layer.decode(z, labels)[0]) == 0
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(x), log_det, atol=1e-12)
    log_prob = base_of(layer, case.shape).log_prob(expected) + log_det
    np.testing.assert_allclose(distribution.log_prob(x), log_prob, atol=1e-9)
    if joint is not None:
        np.testing.assert_allclose(joint.log_prob([x]), log_prob, atol=1e-9)
    assert np.any(np.abs(before[1] - log_prob) > 1e-6)


@pytest.mark.graph_optimizer
@pytest.mark.parametrize("name", REPRESENTATIVE_CASES)
def test_bijector_values_are_never_stale_in_a_graph(name):
    """Write weights within one graph, after a value and before the log-determinant that was computed with it."""
    case, layer, bijector = own_bijector(name)
    distribution = distribution_of(layer, case.shape, bijector)
    joint = tfd.JointDistributionSequential([distribution])
    x = layer_cases.images(case, seed=1)
    weights = [v.value for v in layer.trainable_variables]

    @tf.function(autograph=False)
    def run():
        drawn = distribution.sample(3, seed=(1, 2))
        before = distribution.log_prob(x)
        bijector.inverse(x)
        for weight in weights:
            weight.assign(weight * 1.1 + 0.01)
        log_det = bijector.inverse_log_det_jacobian(x)
        return before, log_det, distribution.log_prob(x), joint.log_prob([x]), drawn, distribution.log_prob(drawn)

    start = distribution.log_prob(x)
    before, log_det, after, of_joint, drawn, of_drawn = run()
    np.testing.assert_allclose(before, start, atol=1e-9)
    assert np.all(np.abs(before - after) > 1e-6), "the update matters"
    z, expected = layer.encode(x)
    np.testing.assert_allclose(log_det, expected, atol=1e-9)
    np.testing.assert_allclose(after, base_of(layer, case.shape).log_prob(z) + expected, atol=1e-9)
    np.testing.assert_allclose(of_joint, after, atol=1e-9)
    np.testing.assert_allclose(of_drawn, distribution.log_prob(drawn), atol=1e-9)


def _in_a_branch(write):
    def branch():
        write()
        return tf.constant(0.0)

    tf.cond(tf.random.stateless_uniform([], [1, 2]) < 2.0, branch, lambda: tf.constant(0.0))


WRITES = {
    "plainly": lambda write: write(),
    "in a function": lambda write: tf.function(write)(),
    "in a branch": _in_a_branch,
}


@pytest.mark.parametrize("value", ["forward", "inverse"])
@pytest.mark.parametrize("log_det", ["forward", "inverse"])
def test_log_det_is_cached_until_a_weight_is_written(value, log_det):
    """Check every order of the calls and every way to write; until a write the network runs once."""
    case, layer, bijector = own_bijector("affine of vectors")
    weight = layer.trainable_variables[-1].value
    inputs = layer_cases.images(case, seed=1) if value == "inverse" else latents(layer, case.shape)

    def run(write):
        result = getattr(bijector, value)(inputs)
        write()
        log_det_inputs = inputs if log_det == value else result
        return log_det_inputs, getattr(bijector, f"{log_det}_log_det_jacobian")(log_det_inputs)

    def assign():
        weight.assign(weight * 1.5 + 0.3)

    method = {"forward": layer.decode, "inverse": layer.encode}[log_det]
    log_det_inputs, before = tf.function(run, autograph=False)(lambda: None)
    np.testing.assert_allclose(before, method(log_det_inputs)[1], atol=1e-12)
    assert products(lambda: run(lambda: None)) == products(lambda: getattr(bijector, value)(inputs))
    start = weight.numpy()
    for how, write in WRITES.items():
        log_det_inputs, after = tf.function(run, autograph=False)(lambda write=write: write(assign))
        np.testing.assert_allclose(after, method(log_det_inputs)[1], atol=1e-12, err_msg=how)
        assert np.all(np.abs(after - before) > 1e-3), "the update matters"
        weight.assign(start)


@pytest.mark.parametrize("tape", ["first", "inner", "persistent"])
def test_log_det_from_before_a_tape_has_its_gradient_on_the_tape(tape):
    case, layer, bijector = own_bijector("affine of vectors")
    z, weight = latents(layer, case.shape), layer.trainable_variables[-1].value

    @tf.function
    def gradient():
        with contextlib.nullcontext() if tape == "first" else tf.GradientTape() as outer:
            if outer is not None:
                outer.watch(z)
            bijector.forward(z)
            with tf.GradientTape(persistent=tape == "persistent") as inner:
                inner.watch(z)
                log_det = bijector.forward_log_det_jacobian(z)
            return inner.gradient(log_det, [z, weight], unconnected_gradients="zero")

    with tf.GradientTape() as expected:
        expected.watch(z)
        log_det = bijector.forward_log_det_jacobian(z)
    expected = expected.gradient(log_det, [z, weight])
    assert all(np.any(np.abs(g) > 1e-3) for g in expected)
    for ours, theirs in zip(gradient(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_tfp_chain_returns_stale_values_and_invert_does_not():
    """Document TFP: Chain caches values by their input, in a graph to its end, and runs our networks twice, so use
    `FlowSequential` or a new tensor; Invert caches nothing and asks our bijector."""
    case, layer, bijector = own_bijector("step 1x1 affine")
    x = layer_cases.images(case, seed=1)
    chain, invert, ours = (
        tfb.Chain([bijector]),
        tfb.Invert(bijector),
        layers.FlowSequential([layer]).as_bijector(case.shape),
    )
    before = chain.inverse(x)
    invert.forward(x)
    ours.inverse(x)
    layer_cases.perturb(layer.trainable_variables, np.random.default_rng(3), 0.1)
    expected, log_det = layer.encode(x)
    assert layer_cases.max_abs_diff(chain.inverse(x), before) == 0, "TFP serves the old value"
    assert layer_cases.max_abs_diff(chain.inverse(x + 0.0), expected) == 0, "a new tensor is computed"
    assert layer_cases.max_abs_diff(invert.forward(x), expected) == 0
    np.testing.assert_allclose(invert.forward_log_det_jacobian(x), log_det, atol=1e-9)
    assert layer_cases.max_abs_diff(ours.inverse(x), expected) == 0

    weight = layer.trainable_variables[0].value

    @tf.function(autograph=False)
    def run(bijector):
        before = bijector.inverse(x)
        weight.assign(weight * 1.1 + 0.1)
        return before, bijector.inverse(x)

    for bijector, stale in ((chain, True), (tfb.Invert(invert), False), (ours, False)):
        before, after = run(bijector)
        assert (layer_cases.max_abs_diff(before, after) == 0) == stale
    once = products(lambda: layer.encode(x))
    of = {b: products(distribution_of(layer, case.shape, b).log_prob, x) for b in (chain, tfb.Invert(invert), ours)}
    assert of[chain] > 1.5 * once and of[ours] == once and min(of.values()) == once


def products(function, *arguments):
    """Count the matrix products and convolutions in the graph of a function."""
    graph = tf.function(function, autograph=False).get_concrete_function(*arguments).graph.as_graph_def()
    bodies = {f.signature.name: f.node_def for f in graph.library.function}

    def count(nodes):
        total = 0
        for node in nodes:
            total += node.op in ("MatMul", "Conv2D")
            if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
                total += count(bodies[node.attr["f"].func.name])
        return total

    return count(graph.node)


@pytest.mark.parametrize("name", ["step 1x1 affine", "multiscale", "glow flat"])
def test_each_network_runs_once_per_log_prob(name):
    case, layer, bijector = shared_bijector(name)
    distribution = distribution_of(layer, case.shape, bijector)
    x = layer_cases.images(case)
    once = products(lambda x: layer.encode(x)[0], x)
    assert once > 0
    assert products(distribution.log_prob, x) == once
    sampled = products(lambda: distribution.experimental_sample_and_log_prob(2, seed=(1, 2)))
    assert sampled == products(lambda: layer.decode(layer.encode(x)[0])[0]) - once


def test_bijector_cache_holds_nothing_but_the_log_det_of_the_last_graph_that_was_not_asked_for():
    case, layer, bijector = own_bijector("step 1x1 affine")
    x = layer_cases.images(case)
    bijector.inverse(x)
    bijector.inverse_log_det_jacobian(x)
    assert not bijector._own_cache.pairs, "of eager code"
    for count in (2, 3):
        spec = tf.TensorSpec([count, *case.shape], x.dtype)
        tf.function(bijector.inverse, autograph=False).get_concrete_function(spec)
    assert len({pair.graph for pair in bijector._own_cache.pairs.values()}) == 1
    tf.function(distribution_of(layer, case.shape, bijector).log_prob).get_concrete_function(x)
    assert not bijector._own_cache.pairs, "it was asked for"


def test_log_det_is_computed_anew_after_a_write_to_the_labels_of_a_call():
    prior = layers.TopPrior(classes=2, dtype="float64")
    bijector, labels = prior.as_bijector((2, 2, 4)), tf.Variable([0, 0])
    layer_cases.perturb(prior.trainable_variables, np.random.default_rng(0), 0.5)
    x = tf.ones([2, 2, 2, 4], tf.float64)

    @tf.function
    def log_det_after_write(x):
        bijector.inverse(x, condition=labels)
        labels.assign([1, 1])
        return bijector.inverse_log_det_jacobian(x, condition=labels)

    np.testing.assert_allclose(log_det_after_write(x), prior.encode(x, [1, 1])[1])


def test_weights_that_a_network_makes_in_its_first_call_are_found():
    class Lazy(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    bijector = layers.Coupling(network=Lazy()).as_bijector([2])
    bijector.forward(tf.ones([5, 2]))
    assert len(bijector.trainable_variables) == 2


def test_weights_that_keras_froze_are_not_trained_by_tfp():
    case, layer, bijector = own_bijector("step 1x1 affine")
    distribution = distribution_of(layer, case.shape, tfb.Invert(tfb.Invert(bijector)))
    everything = {id(v) for v in distribution.trainable_variables}
    layer.actnorm.trainable = layer.coupling.network.W_1.trainable = False
    expected = {id(v.value) for v in layer.trainable_variables}
    assert len(expected) == len(everything) - 3
    for module in (bijector, distribution):
        assert {id(v) for v in module.trainable_variables} == expected
    layer.trainable = False
    assert not distribution.trainable_variables
    layer.trainable = True
    assert {id(v) for v in distribution.trainable_variables} == everything


def test_labels_of_a_variable_may_change():
    labels = tf.Variable([0, 0])
    flow = bijectors.Glow((4, 4, 1), levels=1, depth=1, width=4, classes=2, labels=labels, seed=0)
    layer_cases.perturb(flow.layer.trainable_variables, np.random.default_rng(0), 0.5)
    x = tf.ones([2, 4, 4, 1])
    before = flow.inverse_log_det_jacobian(x)
    labels.assign([1, 1])
    expected = flow.inverse_log_det_jacobian(x, condition=[1, 1])
    np.testing.assert_array_equal(flow.inverse_log_det_jacobian(x), expected)
    assert np.abs(before - expected).max() > 1e-3
