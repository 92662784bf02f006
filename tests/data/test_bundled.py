"""Test the images that come with installed packages."""

import numpy as np
import pytest

from glow_tf.config import DataConfig
from glow_tf.data import open_source, photos
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, arrays


@pytest.mark.parametrize(
    ("name", "shape", "fit", "count", "classes"),
    [("digits", (8, 8, 1), "exact", 1797, 10), ("mnist", (32, 32, 1), "pad", 5000, 10)],
)
def test_bundled_digits_have_ten_classes_and_the_full_image_count(name, shape, fit, count, classes):
    config = DataConfig(f"bundled:{name}", fit=fit)
    source = open_source(config, shape)
    assert source.classes == classes
    assert sum(source.size(s) for s in ("train", "validation", "test")) == count
    images, labels, _ = arrays(source, "test", config, shape, 100)
    assert images.shape == (100, *shape) and set(labels) == set(range(10))
    assert images.max() > 200


def test_bundled_digits_use_the_16_levels_of_4_bits():
    config = DataConfig("bundled:digits")
    images, _, _ = arrays(open_source(config, (8, 8, 1)), "train", config, (8, 8, 1))
    assert set(np.unique(images)) == set(range(0, 256, 16))


def test_bundled_photo_splits_are_disjoint():
    assert not set(photos.TRAINING) & set(photos.TEST)
    config = DataConfig("bundled:photos")
    source = open_source(config, (32, 32, 3))
    assert source.size("train") > 5000 and source.size("test") > 200 and source.size("validation") > 100
    seen = {c.tobytes() for c in source.images[source.rows_of("train")]}
    for split in ("validation", "test"):
        assert not seen & {c.tobytes() for c in source.images[source.rows_of(split)]}


def test_images_in_memory_of_another_size_are_rejected_at_once():
    with pytest.raises(DataError, match="an image is 8x8, the model takes 16x16, and fit=exact cannot change it"):
        open_source(DataConfig("bundled:digits"), (16, 16, 1))


def test_unknown_bundled_data_set_is_rejected():
    with pytest.raises(DataError, match=r"expected bundled:\{digits,mnist,photos,faces\}, got bundled:cats"):
        open_source(DataConfig("bundled:cats"), SHAPE)
