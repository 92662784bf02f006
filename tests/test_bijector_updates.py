"""Values after an update of the weights: never stale, in eager code and in graphs, and computed once."""

import gc

import laws
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from bijectors import SOME, base_of, distribution_of, latents, own_bijector, shared_bijector
from laws import CASES

from glow_tf import layers

tfb, tfd = tfp.bijectors, tfp.distributions


@pytest.mark.parametrize("name", CASES)
def test_never_stale_in_eager_code(name):
    case, layer, bijector = own_bijector(name)
    if not layer.trainable_variables or case.labels:
        return
    distribution = distribution_of(layer, case.shape, bijector)
    joint = tfd.JointDistributionSequential([distribution])
    x = laws.images(case, seed=1)
    z = bijector.inverse(x)
    before = (bijector.inverse_log_det_jacobian(x), distribution.log_prob(x), joint.log_prob([x]))
    bijector.forward(z)
    laws.disturb(layer.trainable_variables, np.random.default_rng(3), 0.01)
    expected, log_det = layer.encode(x)
    assert laws.largest(expected, z) > 1e-3, "the update matters"
    assert laws.largest(bijector.inverse(x), expected) == 0
    assert laws.largest(bijector.forward(z), layer.decode(z)[0]) == 0
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(x), log_det, atol=1e-12)
    log_prob = base_of(layer, case.shape).log_prob(expected) + log_det
    np.testing.assert_allclose(distribution.log_prob(x), log_prob, atol=1e-9)
    np.testing.assert_allclose(joint.log_prob([x]), log_prob, atol=1e-9)
    assert np.any(np.abs(before[1] - log_prob) > 1e-6)


@pytest.mark.parametrize("name", SOME)
def test_never_stale_in_a_graph(name):
    """Weights written within one graph: distributions, and a log-determinant after the value that came with it."""
    case, layer, bijector = own_bijector(name)
    distribution = distribution_of(layer, case.shape, bijector)
    joint = tfd.JointDistributionSequential([distribution])
    x = laws.images(case, seed=1)
    weights = [v.value for v in layer.trainable_variables]

    @tf.function
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


@pytest.mark.parametrize("how", WRITES)
@pytest.mark.parametrize("value", ["forward", "inverse"])
@pytest.mark.parametrize("log_det", ["forward", "inverse"])
def test_a_log_determinant_is_shared_until_a_weight_is_written(how, value, log_det):
    """Whichever comes first and however it is written; until then the network runs once."""
    case, layer, bijector = own_bijector("affine of vectors")
    weight = layer.trainable_variables[-1].value
    given = laws.images(case, seed=1) if value == "inverse" else latents(layer, case.shape)

    def run(write):
        result = getattr(bijector, value)(given)
        write()
        asked = given if log_det == value else result
        return asked, getattr(bijector, f"{log_det}_log_det_jacobian")(asked)

    def assign():
        weight.assign(weight * 1.5 + 0.3)

    method = {"forward": layer.decode, "inverse": layer.encode}[log_det]
    asked, before = tf.function(run)(lambda: None)
    np.testing.assert_allclose(before, method(asked)[1], atol=1e-12)
    assert products(lambda: run(lambda: None)) == products(lambda: getattr(bijector, value)(given))
    asked, after = tf.function(run)(lambda: WRITES[how](assign))
    np.testing.assert_allclose(after, method(asked)[1], atol=1e-12)
    assert np.all(np.abs(after - before) > 1e-3), "the update matters"


def test_what_tfps_own_chain_and_invert_do():
    """TFP's Chain keeps values by their input, as long as they live and in a graph to its end, and runs our networks
    twice: use `Serial`, or a new tensor. Invert keeps nothing and asks ours."""
    case, layer, bijector = own_bijector("step 1x1 affine")
    x = laws.images(case, seed=1)
    chain, invert, ours = tfb.Chain([bijector]), tfb.Invert(bijector), layers.Serial([layer]).as_bijector(case.shape)
    before = chain.inverse(x)
    invert.forward(x)
    ours.inverse(x)
    laws.disturb(layer.trainable_variables, np.random.default_rng(3), 0.1)
    expected, log_det = layer.encode(x)
    assert laws.largest(chain.inverse(x), before) == 0, "TFP serves the old value"
    assert laws.largest(chain.inverse(x + 0.0), expected) == 0, "a new tensor is computed"
    assert laws.largest(invert.forward(x), expected) == 0
    np.testing.assert_allclose(invert.forward_log_det_jacobian(x), log_det, atol=1e-9)
    assert laws.largest(ours.inverse(x), expected) == 0

    weight = layer.trainable_variables[0].value

    @tf.function
    def run(bijector):
        before = bijector.inverse(x)
        weight.assign(weight * 1.1 + 0.1)
        return before, bijector.inverse(x)

    for bijector, stale in ((chain, True), (tfb.Invert(invert), False), (ours, False)):
        before, after = run(bijector)
        assert (laws.largest(before, after) == 0) == stale
    once = products(lambda: layer.encode(x))
    of = {b: products(distribution_of(layer, case.shape, b).log_prob, x) for b in (chain, tfb.Invert(invert), ours)}
    assert of[chain] > 1.5 * once and of[ours] == once and min(of.values()) == once


def products(function, *arguments):
    """How many matrix products and convolutions the graph of a function holds."""
    graph = tf.function(function).get_concrete_function(*arguments).graph.as_graph_def()
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
    x = laws.images(case)
    once = products(lambda x: layer.encode(x)[0], x)
    assert once > 0
    assert products(distribution.log_prob, x) == once
    sampled = products(lambda: distribution.experimental_sample_and_log_prob(2, seed=(1, 2)))
    assert sampled == products(lambda: layer.decode(layer.encode(x)[0])[0]) - once


def test_no_value_is_kept():
    case, _, bijector = shared_bijector("step 1x1 affine")
    x = laws.images(case)
    bijector.inverse(x)
    bijector.inverse_log_det_jacobian(x)
    gc.collect()
    assert not bijector._own_cache.log_dets
