"""Test fitting and augmentation of one image."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.config import DataConfig
from glow_tf.counts import counted
from glow_tf.data import images
from glow_tf.data.augmentation import augment
from glow_tf.errors import DataError

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (10, 14, 3), np.uint8)


def test_channel_conversion():
    gray = IMAGE[..., :1]
    np.testing.assert_array_equal(images.with_channels(tf.constant(gray), 3), np.repeat(gray, 3, -1))
    with_alpha = np.concatenate([IMAGE, gray], -1)
    np.testing.assert_array_equal(images.with_channels(tf.constant(with_alpha), 3), IMAGE)
    luminance = images.with_channels(tf.constant(IMAGE), 1).numpy()[..., 0]
    np.testing.assert_allclose(luminance, IMAGE @ [0.299, 0.587, 0.114], atol=1.5)


def test_center_crop_and_zero_padding():
    np.testing.assert_array_equal(images.fit(IMAGE, (8, 8, 3), "crop"), IMAGE[1:9, 3:11])
    padded = images.fit(IMAGE, (12, 16, 3), "pad").numpy()
    np.testing.assert_array_equal(padded[1:11, 1:15], IMAGE)
    assert padded.sum() == IMAGE.sum()
    unchanged = images.fit(IMAGE, IMAGE.shape, "exact").numpy()  # a tensor, as of any other size
    np.testing.assert_array_equal(unchanged, IMAGE)


def test_random_crops_cover_every_position():
    offsets = set()
    for i in range(200):
        crop = images.fit(IMAGE, (8, 8, 3), "random_crop", seed=(0, i)).numpy()
        positions = [(y, x) for y in range(3) for x in range(7) if np.array_equal(crop, IMAGE[y : y + 8, x : x + 8])]
        assert len(positions) == 1
        offsets.add(positions[0])
    assert len(offsets) == 3 * 7
    assert np.array_equal(images.fit(IMAGE, (8, 8, 3), "random_crop"), IMAGE[1:9, 3:11]), "the center in evaluation"


@pytest.mark.parametrize("shape", [(5, 5, 3), (8, 8, 3), (20, 20, 3)])
def test_resizing_keeps_the_mean_of_an_image(shape):
    smooth = np.broadcast_to(np.linspace(0, 255, 40, dtype=np.uint8)[:, None, None], (40, 60, 3))
    small = images.fit(smooth, shape, "resize").numpy()
    assert small.shape == shape
    assert abs(small.mean() - smooth.mean()) < 2
    assert np.all(np.diff(small[:, 0, 0].astype(int)) > 0)


def test_image_sizes_that_do_not_fit_are_rejected():
    config = DataConfig("folder:x")
    with pytest.raises(DataError, match=r"an image is 10x14, the model takes 8x8, and fit=exact cannot change it"):
        images.check_shape(IMAGE.shape, (8, 8, 3), config)
    images.check_shape((8, 8, 3), (8, 8, 3), config)
    with pytest.raises(DataError):
        images.check_shape((7, 9, 3), (8, 8, 3), DataConfig("folder:x", fit="crop"))


def test_shift_augmentation_moves_by_at_most_two_pixels():
    image = np.zeros((20, 20, 1), np.uint8)
    image[10, 10] = 200
    centers = []
    for i in range(300):
        moved = augment(image, "shift", False, (1, i)).numpy()[..., 0].astype(float)
        assert 195 < moved.sum() < 205, "linear interpolation keeps the sum"
        centers.append(np.array(np.indices(moved.shape)).reshape(2, -1) @ moved.ravel() / moved.sum() - 10)
    centers = np.abs(np.array(centers))
    assert np.all(centers <= 2.02) and np.all(centers.max(0) > 1.9) and np.all(np.abs(centers.mean(0) - 1) < 0.15)


def test_augmentation_fills_edges_with_the_nearest_pixel():
    flat = np.full((20, 20, 3), 77, np.uint8)
    for level in ("shift", "full"):
        assert np.all(augment(flat, level, True, (0, 1)).numpy() == 77)


def test_horizontal_flips_have_probability_one_half():
    flipped = [np.array_equal(augment(IMAGE, "none", True, (0, i)), IMAGE[:, ::-1]) for i in range(200)]
    unchanged = [np.array_equal(augment(IMAGE, "none", True, (0, i)), IMAGE) for i in range(200)]
    assert 60 < sum(flipped) < 140 and sum(flipped) + sum(unchanged) == 200
    assert augment(IMAGE, "none", False, (0, 1)) is IMAGE


def test_full_augmentation_rotates():
    image = np.zeros((21, 21, 1), np.uint8)
    image[10, :] = 255
    angles = []
    for i in range(100):
        moved = augment(image, "full", False, (1, i)).numpy()[..., 0].astype(float)
        heights = [np.average(np.arange(21), weights=moved[:, x]) for x in (5, 15) if moved[:, x].sum()]
        angles.append(np.degrees(np.arctan2(heights[1] - heights[0], 10)))
    assert max(angles) > 10 and min(angles) < -10 and max(map(abs, angles)) < 18


@pytest.mark.parametrize(("channels", "model"), [(2, 3), (2, 1), (5, 3), (5, 1), (3, 5), (1, 2), (4, 5)])
def test_channels_that_are_no_picture_are_not_converted(channels, model):
    message = f"an image has {counted(channels, 'channel')}, the model {model}, and only gray and RGB are converted"
    with pytest.raises(DataError, match=message):
        images.check_shape((8, 8, channels), (8, 8, model), DataConfig("folder:x"))


@pytest.mark.parametrize("channels", [2, 5])
def test_images_of_the_models_channels_are_kept_whatever_they_are(channels):
    image = RNG.integers(0, 256, (8, 8, channels), np.uint8)
    images.check_shape(image.shape, image.shape, DataConfig("folder:x"))
    np.testing.assert_array_equal(images.fit(image, image.shape, "exact"), image)
    assert images.fit(image, (4, 4, channels), "resize").shape == (4, 4, channels)
