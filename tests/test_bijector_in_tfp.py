"""Test our bijectors within TFP's Chain, Invert and joint distributions, in graphs and compiled."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import layers
from helpers import layer_cases
from helpers.bijector_cases import REPRESENTATIVE_CASES, base_of, copy_tensors, distribution_of, normal, shared_bijector

pytestmark = pytest.mark.graph_optimizer
tfb, tfd = tfp.bijectors, tfp.distributions


@pytest.mark.parametrize(
    ("name", "jit"),
    [
        *((name, False) for name in REPRESENTATIVE_CASES),
        *(pytest.param(name, True, marks=pytest.mark.slow) for name in ("affine of vectors", "glow flat")),
    ],
)
def test_sample_and_log_prob_in_a_graph(name, jit):
    """Compile a bijector of vectors and one of a whole flow; `test_laws.py` compiles every layer."""
    case, layer, bijector = shared_bijector(name)
    distribution = distribution_of(layer, case.shape, bijector)

    @tf.function(jit_compile=jit)
    def run(seed):
        x, log_prob = distribution.experimental_sample_and_log_prob([3], seed=seed)
        return x, log_prob, distribution.log_prob(x), distribution.log_prob(x + 0.0)

    x, log_prob, again, recomputed = run(tf.constant([1, 2]))
    np.testing.assert_allclose(again, log_prob, atol=1e-9)
    np.testing.assert_allclose(recomputed, log_prob, atol=1e-9)
    np.testing.assert_allclose(distribution.log_prob(x), log_prob, atol=1e-9)


def scaled(x):
    """Make a distribution of pixels around those of `x`."""
    return tfd.Independent(tfd.Normal(x, tf.constant(0.1, x.dtype)), 3)


def joints(images):
    """Make `{kind: joint distribution}` of images and of noisy ones."""

    @tfd.JointDistributionCoroutineAutoBatched
    def coroutine():
        x = yield tfd.JointDistributionCoroutine.Root(images)
        yield scaled(x)

    return {
        "sequential": tfd.JointDistributionSequential([images, scaled]),
        "named": tfd.JointDistributionNamed({"x": images, "y": lambda x: scaled(x)}),
        "coroutine": coroutine,
    }


def joint_by_hand(case, layer, value):
    """Compute the joint log density from the layer alone."""
    x, y = tf.nest.flatten(value)
    z, log_det = layer.encode(x)
    axes = tuple(range(-len(case.shape), 0))
    of_x = scipy.stats.norm.logpdf(z).sum(axes) + log_det
    return of_x + scipy.stats.norm.logpdf(y, x, 0.1).sum(axes)


@pytest.mark.parametrize("kind", ["sequential", "named", "coroutine"])
def test_log_prob_of_joint_distributions(kind):
    case, layer, bijector = shared_bijector("step 1x1 affine")
    joint = joints(distribution_of(layer, case.shape, bijector))[kind]
    if kind != "coroutine":  # whose parts TFP finds as it runs
        assert len(joint.trainable_variables) == len(layer.trainable_variables)
    for shape in ((), (2, 3)):
        value = joint.sample(shape, seed=(1, 2))
        log_prob = joint.log_prob(value)
        assert log_prob.shape == shape
        np.testing.assert_allclose(log_prob, joint_by_hand(case, layer, value), atol=1e-9)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_chain_invert_and_joint_in_a_graph(jit):
    case, layer, bijector = shared_bijector("step 1x1 affine")
    two = tf.constant(2.0, tf.float64)
    chain = distribution_of(layer, case.shape, tfb.Chain([tfb.Scale(two), bijector]))
    inverse = tfd.TransformedDistribution(normal(case.shape), tfb.Invert(bijector))  # a density over latents
    joint = joints(distribution_of(layer, case.shape, bijector))["sequential"]

    @tf.function(jit_compile=jit, autograph=False)
    def run(seed):
        results = []
        for distribution in (chain, inverse, joint):
            value = distribution.sample(3, seed=seed)
            results.append((value, distribution.log_prob(value)))
        return results

    (x, of_chain), (z, of_inverse), (pair, of_joint) = run(tf.constant([1, 2]))
    eps, log_det = layer.encode(x / 2)
    by_hand = base_of(layer, case.shape).log_prob(eps) + log_det - np.log(2) * np.prod(case.shape)
    np.testing.assert_allclose(of_chain, by_hand, atol=1e-8)
    decoded, log_det = layer.decode(z)
    np.testing.assert_allclose(of_inverse, normal(case.shape).log_prob(decoded) + log_det, atol=1e-8)
    np.testing.assert_allclose(of_joint, joint_by_hand(case, layer, pair), atol=1e-8)


def test_bijector_nested_in_chain_and_invert():
    case, layer, bijector = shared_bijector("step 1x1 affine")
    reverse = layers.Reverse(dtype=layer_cases.DTYPE, event_ndims=3).as_bijector(case.shape)
    nested = tfb.Chain([tfb.Scale(tf.constant(2.0, tf.float64)), bijector, tfb.Invert(reverse)])
    x = layer_cases.images(case)
    z = nested.inverse(x)
    assert layer_cases.max_abs_diff(z, layers.Reverse(dtype=layer_cases.DTYPE).decode(layer.encode(x / 2)[0])[0]) == 0
    assert layer_cases.max_abs_diff(nested.forward(copy_tensors(z)), x) < 1e-10
    assert len(nested.trainable_variables) == len(layer.trainable_variables)


def test_flow_of_vectors_chained_with_tfp_bijectors():
    network = keras.Sequential([keras.layers.Dense(16, "relu"), keras.layers.Dense(4)])
    flow = layers.FlowSequential([layers.ActNorm(), layers.InvertibleConv1x1(seed=1), layers.Coupling(network=network)])
    chain = tfb.Chain([tfb.Sigmoid(), flow.as_bijector([4]), tfb.Scale(tf.ones([4]) * 0.5)])
    distribution = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), 4), chain)
    y = distribution.sample([2, 3], seed=(1, 2))
    assert y.shape == [2, 3, 4] and np.all((y > 0) & (y < 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distribution.log_prob(y + 0.0))
    assert all(g is not None for g in tape.gradient(loss, distribution.trainable_variables))
    assert len(distribution.trainable_variables) == 2 + 1 + 4


def test_transition_kernel_in_the_latent_space_of_a_flow():
    case, layer, bijector = shared_bijector("affine of vectors")
    target, start = normal(case.shape), tf.ones([3, *case.shape], layer_cases.DTYPE)

    def chain(log_prob, state, wrap=lambda kernel: kernel):
        kernel = wrap(tfp.mcmc.HamiltonianMonteCarlo(log_prob, np.float64(0.1), num_leapfrog_steps=2))
        return tfp.mcmc.sample_chain(2, state, kernel=kernel, trace_fn=None, seed=(1, 2))

    def log_prob(z):
        x, log_det = layer.decode(z)
        return target.log_prob(x) + log_det

    x = chain(target.log_prob, start, lambda kernel: tfp.mcmc.TransformedTransitionKernel(kernel, bijector))
    np.testing.assert_allclose(x, layer.decode(chain(log_prob, layer.encode(start)[0]))[0], atol=1e-9)
    assert np.all(np.abs(x - start) > 1e-6)
