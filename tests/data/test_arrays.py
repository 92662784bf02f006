"""Test sources of `.npz` and `.npy` arrays."""

import numpy as np
import pytest

from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.data.files import RecordSource
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, arrays, color_images


def test_npz_images_and_labels_are_read(tmp_path):
    images, labels = color_images(20), np.arange(20) % 4
    np.savez(tmp_path / "a.npz", train=images[:15], train_labels=labels[:15], test=images[15:], test_labels=labels[15:])
    config = DataConfig(f"npz:{tmp_path / 'a.npz'}")
    source = open_source(config, SHAPE)
    assert source.classes == 4 and source.size("test") == 5
    read_images, read_labels, _ = arrays(source, "test", config)
    np.testing.assert_array_equal(read_images, images[15:])
    np.testing.assert_array_equal(read_labels, labels[15:])


def test_npy_of_gray_images_is_split_in_three(tmp_path):
    np.save(tmp_path / "a.npy", color_images(50)[..., 0])
    config = DataConfig(f"npy:{tmp_path / 'a.npy'}")
    source = open_source(config, (8, 8, 1))
    assert source.classes == 0
    assert [source.size(s) for s in ("train", "validation", "test")] == [43, 2, 5]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"images": np.zeros((3, 8, 8, 3))}, r"expected uint8 images .* got float64"),
        ({"pictures": color_images(3)}, r"expected arrays images .* got pictures"),
        ({"images": np.array([{}], object)}, r"pickled"),
        ({"images": color_images(9), "labels": np.zeros(4, int)}, r"expected one label per image"),
        ({"train": color_images(9), "test": color_images(3, 4)}, r"differ in image shape"),
    ],
)
def test_invalid_npz_contents_are_rejected(contents, message, tmp_path):
    np.savez(tmp_path / "a.npz", **contents)
    with pytest.raises(DataError, match=message):
        open_source(DataConfig(f"npz:{tmp_path / 'a.npz'}"), SHAPE)


def test_missing_and_damaged_array_files_are_rejected(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_source(DataConfig(f"npy:{tmp_path / 'none.npy'}"), SHAPE)
    (tmp_path / "bad.npz").write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match="cannot be read as arrays"):
        open_source(DataConfig(f"npz:{tmp_path / 'bad.npz'}"), SHAPE)


def test_array_of_five_channels_does_not_become_its_first_three(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 5), np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    config = DataConfig(f"npy:{tmp_path / 'a.npy'}")
    with pytest.raises(DataError, match="an image has 5 channels, the model 3"):
        open_source(config, SHAPE)
    source = open_source(config, (8, 8, 5))
    images, _, _ = arrays(source, "test", config, (8, 8, 5))
    np.testing.assert_array_equal(images, pixels[source.rows_of("test")])


@pytest.mark.parametrize(("dtype", "shape"), [(np.uint16, SHAPE), (np.float32, SHAPE), (np.uint8, (64,))])
def test_records_that_are_no_images_of_8_bits_are_refused(dtype, shape):
    source = RecordSource("x", {}, lambda row: (np.zeros(shape, dtype), None, None), check=lambda shape: None)
    with pytest.raises(DataError, match=r"x: expected uint8 images \[h, w, c\], got"):
        source._load_checked(3)
