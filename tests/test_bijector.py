"""The TFP face of every layer: a real bijector, complete, and never stale."""

import gc

import keras
import laws
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from laws import CASES

from glow_tf import layers

tfb, tfd = tfp.bijectors, tfp.distributions
every_layer = pytest.mark.parametrize("name", CASES)
SOME = ("actnorm of vectors", "conv1x1", "affine of vectors", "step 1x1 affine", "glow flat")


def fresh(value):
    """The same numbers in new tensors, so that no cache can know them."""
    return tf.nest.map_structure(lambda v: v + 0.0, value)


def normal(shape):
    return tfd.Independent(tfd.Normal(tf.zeros(shape, laws.DTYPE), 1.0), len(shape))


def base_of(layer, shape):
    latent = layer.latent_shape(shape)
    return tfd.JointDistributionSequential([normal(s) for s in latent]) if isinstance(latent, list) else normal(latent)


def ready_bijector(name, n=4):
    case = CASES[name]
    layer = laws.ready(case)
    return case, layer, layer.as_bijector(case.shape, condition=laws.labels(case, n))


@every_layer
def test_conforms(name):
    case, layer, bijector = ready_bijector(name)
    x = laws.images(case, seed=1)
    z = bijector.inverse(x)
    expected, log_det = layer.encode(x, laws.labels(case))
    assert laws.largest(z, expected) == 0
    assert laws.largest(bijector.forward(fresh(z)), x) < 1e-10
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(x + 0.0), log_det, atol=1e-12)
    ndims = bijector.forward_min_event_ndims
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(fresh(z), ndims), -log_det, atol=1e-10)
    assert bijector.dtype == tf.float64
    shapes = layer.latent_shape(case.shape)
    if not isinstance(shapes, list):
        assert tuple(bijector.inverse_event_shape(case.shape)) == tuple(shapes)
        assert tuple(bijector.forward_event_shape(shapes)) == case.shape


@every_layer
def test_variables_are_complete_and_reached_by_gradients(name):
    case, layer, bijector = ready_bijector(name)
    expected = {id(v.value) for v in layer.trainable_variables}
    assert {id(v) for v in bijector.trainable_variables} == expected
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)
    assert {id(v) for v in distribution.trainable_variables} == expected
    chain = tfb.Chain([bijector])
    assert {id(v) for v in chain.trainable_variables} == expected
    if not expected or case.labels:
        return
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(distribution.log_prob(laws.images(case, seed=1)))
    for v, gradient in zip(
        distribution.trainable_variables, tape.gradient(loss, distribution.trainable_variables), strict=True
    ):
        assert gradient is not None and np.isfinite(gradient.numpy()).all(), v.name


@every_layer
@pytest.mark.parametrize("lead", [[], [1], [2, 3]])
def test_batch_shapes_of_a_distribution(name, lead):
    case = CASES[name]
    layer = laws.ready(case)
    count = int(np.prod(lead))
    labels = tf.constant(1) if case.labels else None
    bijector = layer.as_bijector(case.shape, condition=labels)
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)
    x = distribution.sample(lead, seed=(1, 2))
    assert x.shape == [*lead, *case.shape]
    log_prob = distribution.log_prob(x + 0.0)
    assert log_prob.shape == lead and np.isfinite(log_prob.numpy()).all()
    one_by_one = [float(distribution.log_prob(e)) for e in tf.reshape(x, [count, *case.shape])]
    np.testing.assert_allclose(tf.reshape(log_prob, [-1]), one_by_one, atol=1e-9)
    z, log_det = layer.encode(x, None if labels is None else tf.broadcast_to(labels, lead))
    expected = base_of(layer, case.shape).log_prob(z) + log_det
    np.testing.assert_allclose(log_prob, expected, atol=1e-9)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("jit", [False, True])
def test_in_a_graph(name, jit):
    case, layer, bijector = ready_bijector(name)
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)

    @tf.function(jit_compile=jit)
    def run(seed):
        x, log_prob = distribution.experimental_sample_and_log_prob([3], seed=seed)
        return x, log_prob, distribution.log_prob(x), distribution.log_prob(x + 0.0)

    x, log_prob, again, recomputed = run(tf.constant([1, 2]))
    np.testing.assert_allclose(again, log_prob, atol=1e-9)
    np.testing.assert_allclose(recomputed, log_prob, atol=1e-9)
    np.testing.assert_allclose(distribution.log_prob(x), log_prob, atol=1e-9)


@every_layer
def test_never_stale_in_eager_code(name):
    case, layer, bijector = ready_bijector(name)
    if not layer.trainable_variables or case.labels:
        return
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)
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
    case, layer, bijector = ready_bijector(name)
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)
    x = laws.images(case, seed=1)
    weight = layer.trainable_variables[0].value

    @tf.function
    def run():
        before = distribution.log_prob(x)
        weight.assign(weight * 1.1 + 0.1)
        return before, distribution.log_prob(x)

    start = weight.numpy()
    before, after = run()
    np.testing.assert_allclose(distribution.log_prob(x), after, atol=1e-9)
    assert np.all(np.abs(before - after) > 1e-9)
    weight.assign(start)
    np.testing.assert_allclose(distribution.log_prob(x), before, atol=1e-9)


def test_what_tfps_own_chain_and_invert_do():
    """TFP's Chain keeps a cache of its own, keyed on the input: use `Serial`, or a new tensor. Invert asks ours."""
    case, layer, bijector = ready_bijector("step 1x1 affine")
    x = laws.images(case, seed=1)
    chain, invert, ours = tfb.Chain([bijector]), tfb.Invert(bijector), layers.Serial([layer]).as_bijector(case.shape)
    before = chain.inverse(x)
    invert.forward(x)
    ours.inverse(x)
    laws.disturb(layer.trainable_variables, np.random.default_rng(3), 0.1)
    expected = layer.encode(x)[0]
    assert laws.largest(chain.inverse(x), before) == 0, "TFP serves the old value"
    assert laws.largest(chain.inverse(x + 0.0), expected) == 0, "a new tensor is computed"
    assert laws.largest(invert.forward(x), expected) == 0
    assert laws.largest(ours.inverse(x), expected) == 0


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
    case, layer, bijector = ready_bijector(name)
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)
    x = laws.images(case)
    once = products(lambda x: layer.encode(x)[0], x)
    assert once > 0
    assert products(distribution.log_prob, x) == once
    sampled = products(lambda: distribution.experimental_sample_and_log_prob(2, seed=(1, 2)))
    assert sampled == products(lambda: layer.decode(layer.encode(x)[0])[0]) - once


@pytest.mark.parametrize("name", ["actnorm", "conv1x1", "affine", "additive", "step 1x1 affine", "glow"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bijective_and_finite_to_ten_sigma(name, dtype):
    case = CASES[name]
    layer = laws.ready(case, dtype)
    bijector = layer.as_bijector(case.shape)
    rng = np.random.default_rng(1)
    for size in (1, 5, 10):
        x = tf.constant(size * rng.normal(size=(4, *case.shape)), dtype)
        z = bijector.inverse(x)
        assert all(np.isfinite(v).all() for v in tf.nest.flatten(z))
        assert np.isfinite(bijector.inverse_log_det_jacobian(fresh(x))).all()
        tolerance = (1e-2 if dtype == "float32" else 1e-8) * size
        assert laws.largest(bijector.forward(fresh(z)), x) < tolerance


def test_built_lazily_or_by_event_shape():
    for shape in ((6,), (4, 4, 6)):
        layer = layers.Actnorm(dtype=laws.DTYPE, event_ndims=len(shape))
        lazy = layer.as_bijector()
        assert lazy.trainable_variables == ()
        lazy.inverse(tf.zeros([2, *shape], laws.DTYPE))
        assert len(lazy.trainable_variables) == 2
        assert len(layers.Actnorm(dtype=laws.DTYPE).as_bijector(shape).trainable_variables) == 2


def test_checkpoint_of_a_distribution(tmp_path):
    case, layer, bijector = ready_bijector("step 1x1 affine")
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)
    x = laws.images(case)
    expected = distribution.log_prob(x)
    tf.train.Checkpoint(d=distribution).write(str(tmp_path / "c"))
    other = case.make()
    again = tfd.TransformedDistribution(base_of(layer, case.shape), other.as_bijector(case.shape))
    tf.train.Checkpoint(d=again).read(str(tmp_path / "c")).assert_existing_objects_matched()
    np.testing.assert_array_equal(again.log_prob(x), expected)


def test_joint_distributions():
    case, layer, bijector = ready_bijector("step 1x1 affine")
    images = tfd.TransformedDistribution(base_of(layer, case.shape), bijector)

    def scaled(x):
        return tfd.Independent(tfd.Normal(x, tf.constant(0.1, x.dtype)), 3)

    @tfd.JointDistributionCoroutineAutoBatched
    def coroutine():
        x = yield tfd.JointDistributionCoroutine.Root(images)
        yield scaled(x)

    for joint in (
        tfd.JointDistributionSequential([images, scaled]),
        tfd.JointDistributionNamed({"x": images, "y": scaled}),
        coroutine,
    ):
        assert len(joint.trainable_variables) == len(layer.trainable_variables) or joint is coroutine
        for shape in ((), (2, 3)):
            value = joint.sample(shape, seed=(1, 2))
            assert joint.log_prob(value).shape == shape
    nested = tfb.Chain(
        [
            tfb.Scale(tf.constant(2.0, tf.float64)),
            bijector,
            tfb.Invert(layers.Reverse(dtype=laws.DTYPE, event_ndims=3).as_bijector(case.shape)),
        ]
    )
    x = laws.images(case)
    assert laws.largest(nested.forward(fresh(nested.inverse(x))), x) < 1e-10
    assert len(nested.trainable_variables) == len(layer.trainable_variables)


def test_with_tfps_bijectors_on_vectors():
    network = keras.Sequential([keras.layers.Dense(16, "relu"), keras.layers.Dense(4)])
    flow = layers.Serial([layers.Actnorm(), layers.InvertibleConv1x1(seed=1), layers.Coupling(network=network)])
    chain = tfb.Chain([tfb.Sigmoid(), flow.as_bijector([4]), tfb.Scale(tf.ones([4]) * 0.5)])
    distribution = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), 4), chain)
    y = distribution.sample([2, 3], seed=(1, 2))
    assert y.shape == [2, 3, 4] and np.all((y > 0) & (y < 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distribution.log_prob(y + 0.0))
    assert all(g is not None for g in tape.gradient(loss, distribution.trainable_variables))
    assert len(distribution.trainable_variables) == 2 + 1 + 4


def test_labels_are_required_and_broadcast():
    case = CASES["glow conditional"]
    layer = laws.ready(case)
    with pytest.raises(ValueError, match=r"conditional on 3 classes; give labels .* condition=labels"):
        layer.as_bijector(case.shape).inverse(laws.images(case))
    x = laws.images(case, 6)
    labels = tf.constant([0, 1, 2])
    broadcast = layer.as_bijector(case.shape, condition=labels).inverse(tf.reshape(x, [2, 3, *case.shape]))
    expected = layer.encode(x, tf.tile(labels, [2]))[0]
    assert laws.largest([tf.reshape(b, [6, *b.shape[2:]]) for b in broadcast], expected) == 0


def test_no_value_is_kept():
    case, _, bijector = ready_bijector("step 1x1 affine")
    x = laws.images(case)
    bijector.inverse(x)
    bijector.inverse_log_det_jacobian(x)
    gc.collect()
    assert not bijector._own_cache.log_dets
