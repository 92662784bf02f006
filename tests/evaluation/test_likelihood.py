"""Test that bits/dim counts each image once, and that its bounds are in order."""

import numpy as np
import pytest

from glow_tf import batched
from glow_tf.evaluation import likelihood
from glow_tf.evaluation.context import open_context


@pytest.mark.slow
def test_bits_per_dim_does_not_depend_on_the_batch_size(tiny_conditional_run):
    context = open_context(tiny_conditional_run)
    bits = [likelihood.measure(context, draws=2, batch_size=size, limit=40).values for size in (7, 64)]
    assert bits[0].shape == (2, 40)
    np.testing.assert_allclose(bits[1], bits[0], atol=1e-6)


def test_likelihood_counts_every_test_image_once(tiny_run):
    context = open_context(tiny_run)
    bits = likelihood.measure(context, draws=1, batch_size=128)
    assert bits.values.shape[1] == context.source.size("test") == 300


def test_importance_weighted_bound_and_standard_errors():
    rng = np.random.default_rng(0)
    bits = likelihood.Bits(rng.normal(3.0, 0.01, (50, 200)), dims=64)
    assert bits.importance_weighted < bits.mean
    assert likelihood.Bits(bits.values[:1], 64).importance_weighted == pytest.approx(bits.values[0].mean())
    assert bits.error_over_draws == pytest.approx(0.01 / np.sqrt(50 * 200), rel=0.5)
    # Of the first image, of two values, 2^-2 and 2^-4 are the probabilities; their mean is 5/32.
    two = likelihood.Bits(np.array([[1.0, 2.0], [2.0, 2.0]]), dims=2)
    assert two.importance_weighted == pytest.approx((np.log2(32 / 5) / 2 + 2.0) / 2)
    one = likelihood.Bits(np.full((4, 10), 2.5), 64)
    assert one.importance_weighted == pytest.approx(2.5) and one.error_over_images == 0


@pytest.mark.parametrize("run", ["tiny_run", "tiny_conditional_run"])
def test_bits_per_dim_by_level_sum_to_the_total(run, request, monkeypatch):
    context = open_context(request.getfixturevalue(run))
    images, labels, _ = context.arrays("test", 8)
    shares = likelihood.by_level(context.model, images, context.model_labels(labels), seed=1)
    noise = np.random.default_rng(1).random(images.shape, np.float32)
    whole = context.model.bits_per_dim(images, context.model_labels(labels), noise=noise)
    assert sum(shares) == pytest.approx(float(np.mean(whole)), abs=1e-5)
    monkeypatch.setattr(batched, "CHUNK_PIXELS", 3 * 64)
    np.testing.assert_allclose(
        likelihood.by_level(context.model, images, context.model_labels(labels), seed=1), shares, atol=1e-5
    )
