"""Test `glow.distribution` over floats, in nats, and over bytes."""

import warnings

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from glow_tf.latents import flatten_latents
from helpers import layer_cases
from helpers.glow_models import shared_glow


def test_continuous_distribution_log_prob_matches_the_model():
    model, images, _ = shared_glow()
    x = model.dequantize(images, seed=3)
    distribution = model.distribution()
    expected = model.log_prob(images, seed=3) + model.config.dims * 8 * np.log(2)
    np.testing.assert_allclose(distribution.log_prob(x), expected, rtol=1e-10)
    assert distribution.event_shape == model.image_shape and distribution.batch_shape == []
    drawn = distribution.sample([2, 3], seed=(1, 2))
    assert drawn.shape == [2, 3, *model.image_shape]
    assert distribution.log_prob(drawn).shape == [2, 3]
    assert {id(v) for v in distribution.trainable_variables} == {id(v.value) for v in model.flow.trainable_variables}


def test_flat_distribution_orders_latents_as_the_original():
    model, images, _ = shared_glow()
    x = model.dequantize(images, seed=3)
    flat, listed = model.distribution(flat=True), model.distribution()
    np.testing.assert_allclose(flat.log_prob(x), listed.log_prob(x), rtol=1e-10)
    z = flat.bijector.inverse(x)
    np.testing.assert_array_equal(z, flatten_latents([e.numpy() for e in model.encode(images, seed=3)]))
    assert layer_cases.max_abs_diff(flat.bijector.forward(z + 0.0), x) < 1e-9


def test_temperature_scales_the_base_distribution():
    model, _, _ = shared_glow()
    cold = model.distribution(temperature=0.25)
    eps = tf.concat([tf.reshape(e, [-1]) for e in cold.bijector.inverse(cold.sample(8, seed=(1, 2)))], 0)
    assert float(tf.math.reduce_std(eps)) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("flat", [False, True])
def test_temperature_enters_the_log_prob(flat):
    """Compare with latents of standard deviation T."""
    model, images, _ = shared_glow()
    x = model.dequantize(images, seed=3)
    eps, log_det = model.flow.encode(x)
    expected = scipy.stats.norm.logpdf(layer_cases.flatten(eps), scale=0.7).sum(-1) + log_det
    np.testing.assert_allclose(model.distribution(temperature=0.7, flat=flat).log_prob(x), expected, rtol=1e-10)


def test_distribution_batch_shape_is_that_of_the_labels():
    model, images, labels = shared_glow(classes=3)
    distribution = model.distribution(labels=labels)
    assert distribution.batch_shape == [6]
    x = model.dequantize(images, seed=3)
    expected = model.log_prob(images, labels, seed=3) + model.config.dims * 8 * np.log(2)
    np.testing.assert_allclose(distribution.log_prob(x), expected, rtol=1e-10)
    assert distribution.sample(2, seed=(1, 2)).shape == [2, 6, *model.image_shape]
    discrete = model.distribution(labels=labels, discrete=True, seed=(1, 2))
    assert discrete.batch_shape == [6]
    seed = tf.random.split([1, 2], 1)[0]
    np.testing.assert_allclose(discrete.log_prob(images), model.log_prob(images, labels, seed=seed), rtol=1e-10)
    with pytest.raises(ValueError, match="conditional on 3 classes"):
        model.distribution()


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_discrete_samples_of_a_temperature_are_those_of_the_model(temperature):
    model, _, labels = shared_glow(classes=3)
    drawn = model.distribution(temperature, labels=labels, discrete=True).sample(2, seed=(1, 2))
    expected = model.sample(12, temperature, np.tile(labels, 2), seed=(1, 2))
    np.testing.assert_array_equal(drawn, tf.reshape(expected, [2, 6, *model.image_shape]))


def test_discrete_distribution_samples_and_scores_bytes():
    model, images, _ = shared_glow()
    discrete = model.distribution(discrete=True, seed=1)
    assert discrete.dtype == tf.uint8 and discrete.event_shape == model.image_shape
    drawn = discrete.sample([2, 3], seed=(1, 2))
    assert drawn.dtype == tf.uint8 and drawn.shape == [2, 3, *model.image_shape]
    assert discrete.log_prob(drawn).shape == [2, 3]
    np.testing.assert_array_equal(discrete.log_prob(images), discrete.log_prob(images))
    assert len(discrete.trainable_variables) == len(model.trainable_variables)


@pytest.mark.parametrize("method", ["log_prob", "unnormalized_log_prob", "prob"])
def test_images_of_the_other_type_are_refused_and_not_cast(method):
    model, images, _ = shared_glow()
    with pytest.raises(TypeError, match=r"got uint8; for uint8 images take distribution\(discrete=True\)"):
        getattr(model.distribution(), method)(images)
    with pytest.raises(TypeError, match="expected uint8 images .* got float32"):
        getattr(model.distribution(discrete=True, seed=1), method)(images.astype("float32"))


@pytest.mark.parametrize("scale", [1, 255])
def test_images_of_another_scale_are_named(scale):
    model, images, _ = shared_glow()
    density, x = model.distribution(), model.dequantize(images, seed=3)
    values = images.astype("float64") / images.max() * scale
    with pytest.warns(UserWarning, match=rf"go from \S+ to {scale}, .* as Glow.dequantize makes them") as warned:
        density.log_prob(values)
    assert warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        density.log_prob(x)
        density.log_prob(x[:0])
        density.log_prob(density.sample(2, seed=(0, 1)))


def test_discrete_log_prob_averages_the_probability_of_its_draws():
    model, images, _ = shared_glow()
    bound = model.distribution(discrete=True, draws=8, seed=(1, 2)).log_prob(images)
    seeds = tf.unstack(tf.random.split([1, 2], 8))
    single = np.stack([model.log_prob(images, seed=seed) for seed in seeds])
    np.testing.assert_allclose(bound, np.logaddexp.reduce(single, 0) - np.log(8), rtol=1e-12)
    assert np.all(bound > single.mean(0)) and np.all(bound < single.max(0))
    fresh = model.distribution(discrete=True)
    assert np.any(fresh.log_prob(images) != fresh.log_prob(images))
