"""Test the TFP bijector of every layer and of the whole Glow."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import Glow, layers
from glow_tf.bijector import LayerBijector
from glow_tf.layers.tensors import map_latents
from helpers import layer_cases
from helpers.bijector_cases import (
    REPRESENTATIVE_CASES,
    base_of,
    copy_tensors,
    distribution_of,
    latents,
    shared_bijector,
)
from helpers.glow_models import make_glow, shared_glow
from helpers.golden import assert_close
from helpers.layer_cases import CASES, ONE_OF_EACH_CLASS

tfb, tfd = tfp.bijectors, tfp.distributions
every_class = pytest.mark.parametrize("name", ONE_OF_EACH_CLASS)


@every_class
def test_bijector_matches_the_layer(name):
    case, layer, bijector = shared_bijector(name)
    x = layer_cases.images(case, seed=1)
    z = bijector.inverse(x)
    expected, log_det = layer.encode(x, layer_cases.labels(case))
    assert layer_cases.max_abs_diff(z, expected) == 0
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(x + 0.0), log_det, atol=1e-12)
    assert bijector.dtype == tf.float64
    shapes = layer.encoded_shape(case.shape)
    if not isinstance(shapes, list):
        assert tuple(bijector.inverse_event_shape(case.shape)) == tuple(shapes)
        assert tuple(bijector.forward_event_shape(shapes)) == case.shape


@every_class
def test_bijector_variables_are_complete_and_have_gradients(name):
    case, layer, bijector = shared_bijector(name)
    expected = {id(v.value) for v in layer.trainable_variables}
    assert {id(v) for v in bijector.trainable_variables} == expected
    distribution = distribution_of(layer, case.shape, bijector)
    assert {id(v) for v in distribution.trainable_variables} == expected
    chain = tfb.Chain([bijector])
    assert {id(v) for v in chain.trainable_variables} == expected
    if not expected:
        return
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(distribution.log_prob(layer_cases.images(case, seed=1)))
    for v, gradient in zip(
        distribution.trainable_variables, tape.gradient(loss, distribution.trainable_variables), strict=True
    ):
        assert gradient is not None and np.isfinite(gradient.numpy()).all() and np.any(gradient), v.name


@every_class
def test_log_prob_for_any_sample_shape(name):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    labels = tf.constant(1) if case.labels else None
    distribution = distribution_of(layer, case.shape, layer.as_bijector(case.shape, condition=labels))
    images, log_probs = [], []
    for lead in ([], [1], [2, 3]):
        x = distribution.sample(lead, seed=(1, 2))
        assert x.shape == [*lead, *case.shape]
        log_prob = distribution.log_prob(x + 0.0)
        assert log_prob.shape == lead and np.isfinite(log_prob.numpy()).all()
        images.append(tf.reshape(x, [-1, *case.shape]))
        log_probs.append(tf.reshape(log_prob, [-1]))
    images, log_probs = tf.concat(images, 0), tf.concat(log_probs, 0)
    np.testing.assert_allclose(distribution.log_prob(images[-1]), log_probs[-1], atol=1e-9)
    z, log_det = layer.encode(images, None if labels is None else tf.broadcast_to(labels, [len(images)]))
    expected = base_of(layer, case.shape).log_prob(z) + log_det
    np.testing.assert_allclose(log_probs, expected, atol=1e-9)


@pytest.mark.parametrize("name", [*REPRESENTATIVE_CASES, "glow"])
@pytest.mark.parametrize("batch", [(1,), (2, 3)])
def test_log_prob_for_any_batch_shape_of_the_base(name, batch):
    """Give each member of the batch another mean."""
    case, layer, bijector = shared_bijector(name)
    means = 0.3 * np.arange(np.prod(batch)).reshape(batch)
    distribution = tfd.TransformedDistribution(base_of(layer, case.shape, means), bijector)
    assert distribution.batch_shape == batch and distribution.event_shape == case.shape

    def by_hand(x):
        z, log_det = layer.encode(x)
        z = tf.concat([tf.reshape(v, [*log_det.shape, -1]) for v in tf.nest.flatten(z)], -1)
        return scipy.stats.norm.logpdf(z, means[..., None]).sum(-1) + log_det

    x = distribution.sample(2, seed=(1, 2))
    assert x.shape == [2, *batch, *case.shape]
    np.testing.assert_allclose(distribution.log_prob(x), by_hand(x), atol=1e-9)
    one = layer_cases.images(case, 1)[0]
    assert distribution.log_prob(one).shape == batch
    np.testing.assert_allclose(distribution.log_prob(one), by_hand(one), atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_layer_is_invertible_and_finite_to_ten_sigma(name):
    """Check both directions, and float32's values and log-determinants against float64's.

    The weights are perturbed less than elsewhere: an affine coupling's inverse grows with the exponential of its
    network's output, which nothing bounds, and at the usual ones a whole flow decodes ten sigma to 1e33. The bijector
    calls the layer's `encode` and `decode`, as `test_bijector_matches_the_layer` shows.
    """
    case = CASES[name]
    double, single = layer_cases.randomized_layer(case, noise=0.015), case.make("float32")
    single.build((None, *case.shape))
    single.set_weights(double.get_weights())
    labels = layer_cases.labels(case)
    for direction, opposite, value in (
        ("decode", "encode", latents(double, case.shape, size=10)),
        ("encode", "decode", 10 * layer_cases.images(case, seed=1)),
    ):
        results = []
        for layer, tolerance in ((double, 1e-9), (single, 2e-3)):
            inputs = map_latents(lambda v, dtype=layer.dtype: tf.cast(tf.cast(v, "float32"), dtype), value)
            result, log_det = getattr(layer, direction)(inputs, labels)
            assert np.isfinite(layer_cases.flatten(result)).all() and np.isfinite(log_det).all()
            inverse, opposite_log_det = getattr(layer, opposite)(result, labels)
            assert layer_cases.max_abs_diff(inverse, inputs) < tolerance
            np.testing.assert_allclose(opposite_log_det, -log_det, rtol=tolerance, atol=tolerance)
            results.append((layer_cases.flatten(result), log_det))
        for expected, value_in_float32 in zip(*results, strict=True):
            assert_close(value_in_float32, expected, 1e-4, direction)


@pytest.mark.parametrize(
    "name", ["actnorm", "affine", "affine of your network", "step lu affine", "multiscale", "glow"]
)
def test_bijector_builds_lazily_from_latents(name):
    """Build by the first `forward`, without an event shape."""
    case = CASES[name]
    layer = case.make()
    bijector = layer.as_bijector()
    assert bijector.trainable_variables == ()
    z = latents(layer, case.shape)
    x = bijector.forward(z)
    assert x.shape == (4, *case.shape) and layer_cases.max_abs_diff(x, layer.decode(z)[0]) == 0
    assert {id(v) for v in bijector.trainable_variables} == {id(v.value) for v in layer.trainable_variables}
    assert len(layer.trainable_variables) > 1
    assert layer_cases.max_abs_diff(bijector.inverse(copy_tensors(x)), z) < 1e-9


def test_bijector_builds_lazily_or_by_event_shape():
    for shape in ((6,), (4, 4, 6)):
        layer = layers.ActNorm(dtype=layer_cases.DTYPE, event_ndims=len(shape))
        lazy = layer.as_bijector()
        assert lazy.trainable_variables == ()
        lazy.inverse(tf.zeros([2, *shape], layer_cases.DTYPE))
        assert len(lazy.trainable_variables) == 2
        assert len(layers.ActNorm(dtype=layer_cases.DTYPE).as_bijector(shape).trainable_variables) == 2
    assert LayerBijector(layers.ActNorm()).inverse(tf.zeros([2, 4, 4, 6])).shape == [2, 4, 4, 6], "by default of images"


CHECKPOINTED = {
    "bijector": lambda glow: glow.as_bijector(),
    "layer's bijector": lambda glow: glow.flow.steps(0)[0].as_bijector(),
    "chain": lambda glow: tfb.Chain([tfb.Scale(tf.Variable(2.0, dtype=tf.float64)), glow.as_bijector()]),
    "distribution": lambda glow: glow.distribution(),
}


@pytest.mark.parametrize("kind", CHECKPOINTED)
def test_checkpoint_of_a_bijector_restores_all_weights(kind, tmp_path):
    """Restore untrained variables too: the order of a shuffle."""
    glow, _, _ = make_glow(permutation="shuffle")
    other = Glow(dataclasses.replace(glow.config, init_seed=9), dtype="float64")
    original, restored = CHECKPOINTED[kind](glow), CHECKPOINTED[kind](other)
    part = "flow/step_0_0/" if kind == "layer's bijector" else "flow/"
    pairs = [(a, b) for a, b in zip(glow.weights, other.weights, strict=True) if part in a.path]
    assert len(original.variables) >= len(pairs) > 5 and any(np.any(a != b) for a, b in pairs)
    if kind == "distribution":
        original.log_prob(original.sample(2, seed=(1, 2)))  # whose values TFP caches
    tf.train.Checkpoint(it=original).write(str(tmp_path / "c"))
    tf.train.Checkpoint(it=restored).read(str(tmp_path / "c")).assert_consumed()
    for a, b in pairs:
        np.testing.assert_array_equal(a, b, err_msg=a.path)


def test_glow_as_a_bijector_matches_its_flow():
    glow, images, _ = shared_glow()
    bijector, x = glow.as_bijector(), glow.dequantize(images, seed=1)
    assert isinstance(bijector, tfb.Bijector) and bijector.name == glow.name
    assert glow.as_bijector(name="mine").name == "mine"
    eps, log_det = glow.flow.encode(x)
    assert layer_cases.max_abs_diff(bijector.inverse(x), eps) == 0
    assert layer_cases.max_abs_diff(bijector.forward(copy_tensors(eps)), x) < 1e-9
    np.testing.assert_array_equal(bijector.inverse_log_det_jacobian(x + 0.0), log_det)
    assert {id(v) for v in bijector.trainable_variables} == {id(v.value) for v in glow.flow.trainable_variables}
    assert [tuple(s) for s in bijector.inverse_event_shape(glow.image_shape)] == glow.latent_shapes


def test_conditional_glow_as_a_bijector_takes_labels():
    glow, images, labels = shared_glow(classes=3)
    x = glow.dequantize(images, seed=1)
    eps = glow.as_bijector(glow.image_shape, labels).inverse(x)
    assert layer_cases.max_abs_diff(eps, glow.flow.encode(x, labels)[0]) == 0
    with pytest.raises(ValueError, match=r"conditional on 3 classes; give labels .*as_bijector takes them"):
        glow.as_bijector().inverse(x)


def test_conditional_bijector_requires_and_broadcasts_labels():
    case, layer = CASES["glow conditional"], layer_cases.shared_layer("glow conditional")
    with pytest.raises(ValueError, match=r"conditional on 3 classes; give labels .*as_bijector takes them"):
        layer.as_bijector(case.shape).inverse(layer_cases.images(case))
    x = layer_cases.images(case, 6)
    labels = tf.constant([0, 1, 2])
    broadcast = layer.as_bijector(case.shape, condition=labels).inverse(tf.reshape(x, [2, 3, *case.shape]))
    expected = layer.encode(x, tf.tile(labels, [2]))[0]
    assert layer_cases.max_abs_diff([tf.reshape(b, [6, *b.shape[2:]]) for b in broadcast], expected) == 0
