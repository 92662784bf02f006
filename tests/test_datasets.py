"""Test the data sets in the form of `keras.datasets`."""

import numpy as np
import pytest
from PIL import Image

from glow_tf import datasets
from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.errors import ConfigError, DataError


def test_digits_hold_every_image_once():
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    assert x_train.dtype == np.uint8 and y_train.dtype == np.int32
    source = open_source(DataConfig("bundled:digits", labels=True), (8, 8, 1))
    together = np.concatenate([x_train, x_test]).reshape(1797, -1)
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(source.images.reshape(1797, -1), axis=0))
    assert len(x_test) == source.size("test") == len(y_test)
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == np.bincount(source.labels).tolist()


def test_images_are_fitted_and_labels_optional(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3), np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    with pytest.raises(DataError, match="labels are wanted"):
        datasets.load(f"npz:{tmp_path / 'images.npz'}", (8, 8, 3), fit="pad", labels=True)
    splits = datasets.load(f"npz:{tmp_path / 'images.npz'}", (8, 8, 3), fit="pad")
    images = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    assert sorted(i.tobytes() for x, _ in splits for i in x) == sorted(i.tobytes() for i in images)
    assert not any(y.any() for _, y in splits)


def test_held_out_images_of_a_source_without_a_test_split_are_not_its_test_images(tmp_path):
    images = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones([8, 8, 1], np.uint8)
    np.savez(tmp_path / "images.npz", train=images, train_labels=np.arange(20) % 2)
    (x_train, y_train), (x_test, y_test) = datasets.load(f"npz:{tmp_path / 'images.npz'}", (8, 8, 1))
    np.testing.assert_array_equal(x_train, images)
    assert x_test.shape == (0, 8, 8, 1) and y_test.shape == (0,)
    assert not y_train.any(), "labels were not asked for"


def test_image_of_a_folder_that_does_not_fit_is_a_data_error(tmp_path):
    """tf.data reads folders, and gives an error of its own for one that is raised in it."""
    for name in "abcdefgh":
        Image.new("RGB", (10, 14)).save(tmp_path / f"{name}.png")
    with pytest.raises(DataError, match="^folder:.*: an image is 14x10, the model takes 8x8, and fit=exact") as caught:
        datasets.load(f"folder:{tmp_path}", (8, 8, 3))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("image_shape", [(8, 8), (0, 0, 1), (8, 8, 1, 1), (8.0, 8, 1), 8, "888"])
def test_shape_that_is_none_of_an_image_is_a_config_error(image_shape):
    with pytest.raises(ConfigError, match="image_shape: expected .*three integers of at least 1, got"):
        datasets.load("bundled:digits", image_shape)
