"""Test the Fréchet distance: its laws, the order of sets of images, and the command."""

import json

import numpy as np
import pytest
import scipy.linalg
from scipy.ndimage import gaussian_filter

from glow_tf import batched, edits
from glow_tf.cli import evaluate
from glow_tf.edits import decode_with_overshoot
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation import commands, frechet
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.frechet import RandomFeatures, frechet_distance
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.quantization import quantize
from helpers.commands import call

RNG = np.random.default_rng(0)


def features_with(mean, covariance, n=500):
    """Return features whose sample mean and covariance are the given ones."""
    x = RNG.normal(size=(n, len(mean)))
    x -= x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T @ scipy.linalg.sqrtm(covariance).real + mean


def random_covariance(d):
    root = RNG.normal(size=(d, d))
    return root @ root.T


def test_frechet_distance_is_that_of_gaussians():
    mean, deviations = RNG.normal(size=(2, 5)), RNG.uniform(0.1, 2, size=(2, 5))
    a, b = (features_with(m, np.diag(s**2)) for m, s in zip(mean, deviations, strict=True))
    expected = np.sum((mean[0] - mean[1]) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2)
    np.testing.assert_allclose(frechet_distance(a, b), expected, rtol=1e-8)
    rotation = np.linalg.qr(RNG.normal(size=(5, 5)))[0]
    np.testing.assert_allclose(frechet_distance(a @ rotation, b @ rotation), expected, rtol=1e-8)

    s, t = random_covariance(5), random_covariance(5)  # which do not commute
    expected = np.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t).real)
    np.testing.assert_allclose(frechet_distance(features_with(mean[0], s), features_with(mean[0], t)), expected, 1e-8)

    constant = np.column_stack([a, np.zeros(len(a))])  # a singular covariance
    assert 0 <= frechet_distance(constant, constant[::-1]) < 1e-10


def test_frechet_distance_refuses_features_that_are_none():
    a = RNG.normal(size=(6, 3))
    bad = a.copy()
    bad[[1, 4]] = np.nan
    for b, message in ((bad, "2 of 6 rows"), (a[:1], "two images or more"), (a[:, :2], "got 3 and 2")):
        with pytest.raises(DataError, match=message):
            frechet_distance(a, b)


@pytest.mark.slow
def test_frechet_distance_orders_images_by_how_bad_they_are(tiny_run):
    context = open_context(tiny_run)
    (train, labels, _), (test, _, _) = (context.arrays(split) for split in ("train", "test"))
    features, clean = RandomFeatures(quantize(train, 4).numpy()), test.astype(float)
    reference = features(quantize(train, 4).numpy())

    def distance(images):
        return frechet_distance(features(quantize(np.clip(images, 0, 255).astype(np.uint8), 4).numpy()), reference)

    noise = [distance(clean + s * RNG.normal(size=clean.shape)) for s in (0, 32, 64, 128)]
    blur = [distance(gaussian_filter(clean, (0, s, s, 0))) for s in (0, 0.5, 0.8, 1.2)]
    digits = [distance(train[labels < k][:130]) for k in (10, 5, 2, 1)]
    copied = [distance(np.repeat(train[:k], 300 // k, 0)) for k in (300, 30, 5)]
    for distances in (noise, blur, digits, copied):
        assert np.all(np.diff(distances) > 0), distances
    pixels = train.reshape(len(train), -1).astype(float)
    gaussian = RNG.multivariate_normal(pixels.mean(0), np.cov(pixels.T), 300).reshape(clean.shape)
    assert distance(gaussian) > 3 * noise[0], "the pixels' mean and covariance are not all that counts"


def test_frechet_command_reports_samples_beside_test_images(tiny_run, tiny_conditional_run, tmp_path):
    out, _ = call(evaluate.main, evaluate.NAME, "frechet", tiny_run, "--out", tmp_path, "--count", "130", "--seed", "3")
    assert "130 images to 1,422 training images" in out and "real test images" in out
    values = json.loads((tmp_path / "frechet_count_130_seed_3.json").read_text())
    assert values["ratio"] == values["samples"] / values["real"] > 10, "the weights are not trained"
    target = TargetOptions(str(tiny_conditional_run), out=str(tmp_path))
    commands.frechet(target, temperature=0.7)
    assert json.loads((tmp_path / "frechet_temperature_0.7.json").read_text())["count"] == 300

    with pytest.raises(ConfigError, match="--count: expected at most 300, .* got 301"):
        commands.frechet(target, count=301)
    images = np.zeros((100, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "few.npz", train=images, validation=images, test=images)
    with pytest.raises(DataError, match="has 100 test images; .* at least 128"):
        commands.frechet(TargetOptions(str(tiny_run), data=f"npz:{tmp_path / 'few.npz'}"))


@pytest.mark.slow
def test_samples_that_are_not_finite_are_left_out_or_refused(tiny_run, monkeypatch):
    context = open_context(tiny_run)
    whole = context.model.sample(130, 0.7, seed=2).numpy()
    np.testing.assert_array_equal(frechet.draw_finite(context.model, 130, 0.7, seed=2), whole)

    def overflow(bad):
        def decode(*arguments):
            images, overshoot = decode_with_overshoot(*arguments)
            return images, np.where(np.arange(len(images)) < bad, np.inf, overshoot)

        monkeypatch.setattr(edits, "decode_with_overshoot", decode)

    monkeypatch.setattr(batched, "MAX_CHUNK_IMAGES", 130)
    overflow(1)
    np.testing.assert_array_equal(frechet.draw_finite(context.model, 130, 0.7, seed=2), whole[1:])
    result = frechet.measure_frechet(context, count=130)
    assert (result.count, result.non_finite) == (129, 1)
    overflow(2)
    with pytest.raises(DataError, match="2 of 130 samples at temperature 0.7 are not finite"):
        frechet.draw_finite(context.model, 130, 0.7)
    images = context.spread_arrays("test", 130)[0]
    monkeypatch.setattr(frechet, "draw_finite", lambda *_, **__: images | 15)
    spread_arrays = EvaluationContext.spread_arrays

    def without_a_damaged_one(context, split, limit):
        return [array[: 129 if split == "test" else None] for array in spread_arrays(context, split, limit)]

    monkeypatch.setattr(EvaluationContext, "spread_arrays", without_a_damaged_one)
    result = frechet.measure_frechet(context, count=130)
    assert result.ratio == 1, "bits that the model does not see are not compared"
    assert (result.count, result.non_finite) == (129, 0), "as many samples as test images"
