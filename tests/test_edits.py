"""Test that the pictures of edits end where the decoded values leave the range of images."""

import numpy as np
import pytest

from glow_tf import Glow, ModelConfig, batched
from glow_tf.edits import MAX_OVERSHOOT, decode_edits, decode_with_overshoot
from glow_tf.errors import DataError
from glow_tf.latents import unflatten_latents


@pytest.fixture(scope="module")
def glow():
    """Make a model whose affine couplings make large latents overflow."""
    model = Glow(ModelConfig(image_shape=(8, 8, 1), bits=5, levels=1, depth=1, width=8))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 8, 8, 1), np.uint8)
    model.initialize(images, seed=0)
    for v in model.trainable_variables:
        v.assign_add(0.1 * rng.normal(size=v.shape))
    return model


def test_edits_end_where_their_pictures_do(glow):
    images = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 1), np.uint8)
    z = batched.encode(glow, images)
    direction = np.random.default_rng(2).normal(size=z.shape).astype(np.float32)
    edited = z + np.float32([[1e-3], [6], [1e4], [np.inf]]) * direction
    result = decode_edits(glow, z, edited)
    assert result.shares[0] == 1 and 0 < result.shares[1] < 1
    np.testing.assert_array_equal(result.images[:1], glow.decode(unflatten_latents(edited[:1], glow)))
    np.testing.assert_array_equal(result.images[3], images[3] // 8 * 8)  # no share of an infinite edit is finite
    step = edited[1:2] - z[1:2]
    for share, ended in ((result.shares[1], False), (result.shares[1] + 1 / 64, True)):
        eps = unflatten_latents((z[1:2] + share * step).astype(np.float32), glow)
        at_share, overshoot = decode_with_overshoot(glow, eps)
        assert (overshoot[0] > MAX_OVERSHOOT) == ended
        assert np.array_equal(at_share[0], result.images[1]) != ended
    with pytest.raises(DataError, match="one shape"):
        decode_edits(glow, z, edited[:1])
    assert decode_edits(glow, z[:0], edited[:0]).images.shape == (0, 8, 8, 1)
