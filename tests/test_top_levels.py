"""Test how top levels are added to the packaged weights of drawn faces."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from experiments.pretrained import top_levels, top_rotations, top_training
from experiments.pretrained.top_flow import TopLevels
from glow_tf import Glow, ModelConfig
from glow_tf.errors import DataError


@pytest.fixture(scope="module")
def clusters():
    """Return labels of two features with 3 and 2 values, and 48 latents: clusters by feature, rotated, with noise."""
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, 3, 3000), rng.integers(0, 2, 3000)], axis=1)
    latents = rng.standard_normal((3000, 48))
    latents[:, :3] = 4 * np.eye(3)[labels[:, 0]] + 0.5 * latents[:, :3]
    latents[:, 3] = 6 * labels[:, 1] + latents[:, 3]
    rotation = np.linalg.qr(rng.standard_normal((48, 48)))[0]
    return labels, latents @ rotation


def test_discriminants_are_as_many_as_values_less_features_and_leave_white_noise(clusters):
    labels, x = clusters
    ratios, directions = top_rotations.discriminants(x, labels)
    assert (ratios[:3] > 5).all() and (ratios[3:] < 0.1).all()
    y, values = x @ directions, top_rotations.one_hot(labels)
    left = y - y.mean(0) - values @ np.linalg.lstsq(values, y, rcond=None)[0]
    np.testing.assert_allclose(np.cov(left.T), np.eye(48), atol=0.01)


def test_first_rotation_whitens_and_the_later_ones_keep_the_discriminants_in_their_places(clusters):
    labels, x = clusters
    first, others = top_rotations.places(48, 3)
    assert sorted([*first, *others]) == list(range(48)) and (first < 24).sum() == 1
    white = x @ top_rotations.whitened(x, labels)
    np.testing.assert_allclose(np.cov(white.T), np.eye(48), atol=0.01)
    told = np.abs(np.corrcoef(white.T, top_rotations.one_hot(labels).T)[:48, 48:]).max(1)
    assert set(np.argsort(told)[-3:]) <= set(first)
    rotation = top_rotations.rotated(48, 3, seed=1)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(48), atol=1e-12)
    assert not rotation[np.ix_(first, others)].any() and rotation[np.ix_(first, first)].all()


def test_channels_are_ordered_by_what_they_tell(clusters):
    labels = clusters[0]
    images = np.random.default_rng(1).standard_normal((3000, 2, 1, 8))
    images[:, 1, 0, 5] += 3 * labels[:, 1]
    rotation = top_rotations.best_first(images, labels)
    assert np.abs(rotation[5]).argmax() == 0 and abs(rotation[5, 0]) > 0.9


@pytest.mark.slow
def test_levels_are_added_to_a_model_whose_levels_stay(clusters, monkeypatch):
    small = ModelConfig(image_shape=(8, 8, 3), levels=3, depth=2, width=8, coupling="additive")
    monkeypatch.setattr(top_levels, "PRESET", dataclasses.replace(top_levels.PRESET, model=small))
    for name, value in {"LOWER_LEVELS": 1, "STEPS": (30, 30), "CHUNK": 500}.items():
        monkeypatch.setattr(top_levels, name, value)
    monkeypatch.setattr(top_training, "WARMUP_STEPS", 5)
    labels, latents = clusters[0], np.random.default_rng(1).standard_normal((3000, 4, 4, 12)).astype(np.float32)
    latents[:, 1, 2] += np.tile(4 * np.eye(3)[labels[:, 0]], 4)  # three clusters
    lower = Glow(dataclasses.replace(small, levels=1))
    model = top_levels.add_levels(lower, latents, labels)
    for old, new in zip(lower.flow.steps(0), model.flow.steps(0), strict=True):
        for ours, theirs in zip(new.get_weights(), old.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2**-12)
    assert not any((w.numpy().view(np.uint32) % 2**11).any() for w in model.trainable_variables), "12 of 23 bits"
    untrained = Glow(small)
    TopLevels(untrained.flow, 1).initialize(tf.constant(latents), labels)
    before, after = (np.mean(TopLevels(glow.flow, 1).encode(latents)[1]) for glow in (untrained, model))
    assert after < before - 0.2
    kernels = [step.coupling.network.W_1.numpy()[:, :, :-1] for step in model.flow.steps(2)]
    assert all(np.count_nonzero(kernel.any((2, 3))) == 1 for kernel in kernels), "a 1x1 image sees the center alone"


@pytest.mark.slow
def test_lower_latents_are_those_of_a_model_of_the_lower_levels_alone(monkeypatch):
    monkeypatch.setattr(top_levels, "LOWER_LEVELS", 2)
    config = ModelConfig(image_shape=(8, 8, 1), levels=3, depth=1, width=4, coupling="additive")
    model, lower = Glow(config), Glow(dataclasses.replace(config, levels=2))
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    model.initialize(images)
    for level in range(2):
        lower.flow.steps(level)[0].set_weights(model.flow.steps(level)[0].get_weights())
    lower.flow.split(0).set_weights(model.flow.split(0).get_weights())
    expected = lower.flow.encode_to_top(lower.dequantize(images, seed=[0, 0]))[0][-1]
    for glow in (model, lower):
        np.testing.assert_allclose(top_levels.lower_latents(glow, images), expected, atol=1e-5)
    lower.trainable_variables[0].assign(np.full_like(lower.trainable_variables[0], 1e38))
    with pytest.raises(DataError, match="latents of the faces are not finite, as the weights are too large"):
        top_levels.lower_latents(lower, images)
