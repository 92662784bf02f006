"""Test that image files of every kind are read as viewers show them, or refused by name."""

import io
import os
import struct

import numpy as np
import pytest
from PIL import Image

from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.data.files import DamagedRecordError
from glow_tf.data.image_files import read_image
from glow_tf.errors import DataError
from glow_tf.evaluation.own_files import find_image_files, read_own_images
from helpers.source_cases import SHAPE, color_images, save_pictures
from helpers.uploads import encode_png, encode_tiff_of_12_bits

IMAGE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10

UPRIGHT = {
    1: IMAGE,
    2: IMAGE[:, ::-1],
    3: IMAGE[::-1, ::-1],
    4: IMAGE[::-1],
    5: IMAGE.transpose(1, 0, 2),
    6: np.rot90(IMAGE, -1),
    7: IMAGE.transpose(1, 0, 2)[::-1, ::-1],
    8: np.rot90(IMAGE),
}
"""The image as a viewer shows it, by its EXIF orientation."""


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_followed(orientation, ending, tmp_path):
    path, exif = tmp_path / f"a.{ending}", Image.Exif()
    exif[0x0112] = orientation
    for image, upright in ((IMAGE, UPRIGHT[orientation]), (IMAGE[..., 0], UPRIGHT[orientation][..., :1])):
        Image.fromarray(image).save(path, exif=exif)
        np.testing.assert_array_equal(read_image(path), upright)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_keep_their_upper_8(ending, tmp_path):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024
    Image.fromarray(values).save(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{ending}")[..., 0], values // 256)


def test_12_bits_keep_their_upper_8(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(encode_tiff_of_12_bits(np.full((8, 8), 65535, np.uint16)))
    np.testing.assert_array_equal(read_image(path), np.full((8, 8, 1), 255))


@pytest.mark.parametrize(("dtype", "kind"), [(np.int32, "integers of 32 bits"), (np.float32, "floats")])
def test_pixels_of_unknown_range_are_refused(dtype, kind, tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((8, 8), 0.5, dtype)).save(path)
    message = f"a.tif cannot be read as an image: its pixels are {kind}, whose range is unknown"
    with pytest.raises(DamagedRecordError, match=message):
        read_image(path)
    with pytest.raises(DataError, match=message):
        read_own_images([path], SHAPE)


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_transparent_color_of_a_png_is_white_in_every_mode(mode, tmp_path):
    Image.new(mode, (8, 8)).save(tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert (read_image(tmp_path / "a.png") == 255).all()


DEEP_PNG_FILES = {
    "gray of 2 bits": (encode_png(4, 1, 2, 0, b"\0\x1b", b"\0\2"), [0, 85, 255, 255]),
    "gray of 4 bits": (encode_png(4, 1, 4, 0, b"\0\x01\xef", b"\0\x0e"), [0, 17, 255, 255]),
    "RGB of 16 bits": (
        encode_png(3, 1, 16, 2, struct.pack(">x9H", *[0] * 3, *[0x8000] * 3, *[0x4000] * 3), b"\x80\0" * 3),
        [0, 255, 64],
    ),
}
"""PNG files of one row of pixels with a transparent color, and the first channel that is read."""


@pytest.mark.parametrize("kind", DEEP_PNG_FILES)
def test_transparent_color_of_a_png_has_the_bits_of_its_pixels(kind):
    """Pillow keeps the number of the file, which is another color after the pixels are scaled to 8 bits."""
    data, row = DEEP_PNG_FILES[kind]
    assert read_image(io.BytesIO(data))[0, :, 0].tolist() == row


def test_what_is_no_file_is_refused_and_does_not_hang(tmp_path):
    save_pictures(tmp_path, color_images(40))
    os.mkfifo(tmp_path / "pipe.png")
    source = open_source(DataConfig(f"folder:{tmp_path}", on_damaged="skip"), SHAPE)
    assert sum(bool(source._load_checked(row)[3]) for rows in source.rows.values() for row in rows) == 40
    for path in ("/dev/zero", tmp_path / "pipe.png", tmp_path / "none.png"):
        with pytest.raises(DamagedRecordError, match="cannot be read as an image"):
            read_image(path)


def test_hidden_files_are_no_own_images(tmp_path):
    save_pictures(tmp_path, color_images(2))
    (tmp_path / "._0.png").write_bytes(b"what a Macintosh leaves")
    assert [path.name for path in find_image_files(tmp_path)] == ["0.png", "1.png"]
