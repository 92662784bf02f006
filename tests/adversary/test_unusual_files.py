"""Test unusual data files, as people have them: each is read rightly."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from glow_tf.attributes import load_attributes
from glow_tf.data.image_files import read_image
from helpers.data_files import IMAGES, LABELS, attributes, lmdb, npz, read, tfds
from helpers.source_cases import SHAPE, encoded, save_pictures

pytestmark = pytest.mark.slow

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def picture(path, image, name="a.png", **options):
    image.save(path / name, **options)
    return path / name


# Functions of a folder and pytest's monkeypatch that return (what was read, what is right).


def white_is_zero(path, _):
    values = RAMP.astype(np.uint16) * 256
    file = picture(path, Image.fromarray(values), "a.tif")
    tag = b"\x06\x01\x03\x00\x01\x00\x00\x00"  # PhotometricInterpretation, one short
    content = file.read_bytes()
    assert content.count(tag + b"\x01") == 1
    file.write_bytes(content.replace(tag + b"\x01", tag + b"\x00"))
    return read_image(file)[..., 0], 255 - RAMP


def transparent_level_of_16_bits(path, _):
    file = picture(path, Image.fromarray(RAMP.astype(np.uint16) * 256), transparency=1024)
    return read_image(file)[..., 0], np.where(RAMP == 4, 255, RAMP)


def half_transparent_gray(path, _):
    pixels = np.stack([np.zeros((8, 8)), np.full((8, 8), 128)], -1).astype(np.uint8)
    picture(path, Image.fromarray(pixels, "LA"), "a.png")
    return read_image(path / "a.png"), np.full(SHAPE, 127)


def bitmap(path, _):
    return read_image(picture(path, Image.fromarray(RAMP > 100)))[..., 0], np.where(RAMP > 100, 255, 0)


def jpeg_called_png(path, _):
    Image.new("RGB", (8, 8), "white").save(path / "a.png", format="JPEG")
    return read_image(path / "a.png"), np.full(SHAPE, 255)


def names_in_two_cases(path, _):
    for i, name in enumerate(("a.png", "A.png", "a.PNG", "b.png")):
        Image.fromarray(IMAGES[i]).save(path / name, format="PNG")
    return len(read(f"folder:{path}")[0]), 4


def class_name_in_two_unicode_forms(path, _):
    for split, form in (("train", "NFC"), ("test", "NFD")):
        for name, image in (("é", IMAGES[0]), ("z", IMAGES[1])):
            folder = path / split / unicodedata.normalize(form, name)
            folder.mkdir(parents=True)
            save_pictures(folder, [image] * 3)
    images, labels, _ = read(f"folder:{path}", labels=True)
    is_first = (images == IMAGES[0]).all((1, 2, 3))
    return (len(images), len(set(labels[is_first])), set(labels)), (12, 1, {0, 1})


def folder_by_a_crooked_path(path, _):
    (path / "my images").mkdir()
    save_pictures(path / "my images", IMAGES)
    return len(read(f"folder:{path}/./my images/../my images//")[0]), 12


def one_pixel_resized(path, _):
    for i in range(3):
        Image.new("RGB", (1, 1), (10, 20, 30)).save(path / f"{i}.png")
    return read(f"folder:{path}", fit="resize")[0], np.broadcast_to(np.uint8([10, 20, 30]), (3, *SHAPE))


def big_endian_labels(path, _):
    return read(npz(path, images=IMAGES, labels=LABELS.astype(">i8")), labels=True)[1], LABELS


def strided_images_of_alpha(path, _):
    rgba = np.concatenate([IMAGES, IMAGES[..., :1]], -1)
    return read(npz(path, images=np.asfortranarray(rgba)[::2]))[0], IMAGES[::2]


def lmdb_by_a_crooked_path(path, _):
    lmdb(path, "train", [encoded(image, "webp") for image in IMAGES])
    return read(f"lsun-lmdb:{path}/../{path.name}/tower_train_lmdb/")[0], IMAGES


def tfds_attributes_of_bool(path, monkeypatch):
    source = tfds(monkeypatch, IMAGES, {"Smiling": np.bool_(True), "Young": np.bool_(False)})
    return read(source)[2], np.tile([1, -1], (24, 1))


def tfds_gray_without_channels(path, monkeypatch):
    return read(tfds(monkeypatch, IMAGES[..., 0]), (8, 8, 1))[0][:12, ..., 0], IMAGES[..., 0]


def attribute_names_of_bytes(path, _):
    return attributes(path, np.array([b"Smiling", b"Young"])).names, ("Smiling", "Young")


def attribute_names_with_marks_of_windows(path, _):
    return attributes(path, ["\ufeffSmiling\r\n", "Young\r\n"]).names, ("Smiling", "Young")


def attribute_names_in_a_column(path, _):
    return attributes(path, [["Smiling"], ["Young"]]).names, ("Smiling", "Young")


def attribute_directions_of_half_precision(path, _):
    np.save(path / "d.npy", np.full((1, 2), 300, np.float16))  # whose squares are beyond float16
    return load_attributes(path / "d.npy", 2).positions(np.full((1, 2), 300.0)), [[1.0]]


RIGHT = {
    "16-bit TIFF in which zero is white": white_is_zero,
    "16-bit PNG with a transparent level": transparent_level_of_16_bits,
    "gray, half transparent": half_transparent_gray,
    "bitmap of one bit": bitmap,
    "JPEG called .png": jpeg_called_png,
    "names that differ in case": names_in_two_cases,
    "class named in two Unicode forms": class_name_in_two_unicode_forms,
    "folder by a crooked path": folder_by_a_crooked_path,
    "images of one pixel, resized": one_pixel_resized,
    "big-endian labels": big_endian_labels,
    "strided images with alpha": strided_images_of_alpha,
    "LMDB by a crooked path": lmdb_by_a_crooked_path,
    "TFDS attributes of bool": tfds_attributes_of_bool,
    "TFDS images without a channel axis": tfds_gray_without_channels,
    "attribute names of bytes": attribute_names_of_bytes,
    "attribute names with a BOM and Windows line ends": attribute_names_with_marks_of_windows,
    "attribute names in a column": attribute_names_in_a_column,
    "attribute directions of half precision": attribute_directions_of_half_precision,
}


@pytest.mark.parametrize("case", RIGHT)
def test_unusual_file_is_read_rightly(case, tmp_path, monkeypatch):
    actual, expected = RIGHT[case](tmp_path, monkeypatch)
    if isinstance(expected, tuple):
        assert actual == expected
    else:
        np.testing.assert_array_equal(actual, expected)
