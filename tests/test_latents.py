"""Test that z files hold flat latents, finest level first, exactly."""

import numpy as np
import pytest

from glow_tf import latents
from glow_tf.errors import DataError
from helpers.golden import case


def test_flattened_latents_are_in_the_originals_order():
    c = case("case1_affine_1x1")
    z = latents.flatten_latents(c.eps())
    expected = np.concatenate([e.reshape(len(e), -1) for e in c.eps()], axis=1)
    np.testing.assert_array_equal(z, expected)
    for a, b in zip(latents.unflatten_latents(z, c.model()), c.eps(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_latents_file_round_trip(tmp_path):
    c = case("case2_additive_1x1_5bit")
    model = c.model()
    latents.save_latents(tmp_path / "z.npy", c.eps())
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), latents.flatten_latents(c.eps()))
    for a, b in zip(latents.load_latents(tmp_path / "z.npy", model), c.eps(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_invalid_latents_files_are_rejected(tmp_path):
    model = case("case2_additive_1x1_5bit").model()
    np.save(tmp_path / "short.npy", np.zeros((2, 100), np.float32))
    with pytest.raises(
        DataError, match=r"short.npy: z: a model of 16x16x3 images has latents \[n, 768\], got \[2, 100\]"
    ):
        latents.load_latents(tmp_path / "short.npy", model)
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        latents.load_latents(tmp_path / "pickle.npy", model)
    np.save(tmp_path / "int.npy", np.zeros((2, 768), int))
    with pytest.raises(DataError, match="int.npy: z: expected latents as floats, got int64"):
        latents.load_latents(tmp_path / "int.npy", model)
    with pytest.raises(DataError, match="cannot be read"):
        latents.load_latents(tmp_path / "nothing.npy", model)
