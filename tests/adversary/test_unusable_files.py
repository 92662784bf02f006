"""Test data files as people really have them: read rightly, or refused by a command in one line."""

import gzip
import os
import re
import types
import unicodedata

import numpy as np
import pytest
from PIL import Image

from glow_tf.attributes import load_attributes
from glow_tf.config import DataConfig
from glow_tf.data import open_source, pipeline, tfds_source
from glow_tf.data.image_files import read_image
from helpers.commands import call
from helpers.source_cases import SHAPE, encoded, save_pictures, write_tfrecords

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
IMAGES = np.random.default_rng(5).integers(0, 256, (12, *SHAPE), np.uint8)
LABELS = np.arange(12) % 3


def read(source, shape=SHAPE, **options):
    """Read all images of a source with their labels and attributes, in the order of its records."""
    config = DataConfig(source, **options)
    opened = open_source(config, shape)
    rows = np.unique(np.concatenate(list(opened.rows.values())))
    return pipeline.arrays(opened, "train", config, shape, rows=rows)


def npz(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


def npy(path, array):
    np.save(path / "a.npy", array)
    return f"npy:{path / 'a.npy'}"


def picture(path, image, name="a.png", **options):
    image.save(path / name, **options)
    return path / name


def folder_with(path, name, content):
    """Make a folder of pictures, all training images, with one more file."""
    (path / "train").mkdir()
    save_pictures(path / "train", IMAGES)
    if content is not None:
        (path / "train" / name).write_bytes(content)
    return f"folder:{path}"


def lmdb(path, end, values):
    module = __import__("lmdb")
    with module.open(str(path / f"tower_{end}_lmdb"), map_size=1 << 22) as environment:
        with environment.begin(write=True) as transaction:
            for i, value in enumerate(values):
                transaction.put(f"key{i:02d}".encode(), value)
    return f"lsun-lmdb:{path / 'tower'}"


def tfds(monkeypatch, images, attributes=None):
    """Let TFDS hold a data set of these images."""
    records = [{"image": image} | ({} if attributes is None else {"attributes": attributes}) for image in images]
    features = {"image": None} | ({} if attributes is None else {"attributes": dict.fromkeys(attributes)})
    info = types.SimpleNamespace(features=features, full_name="stand_in/1.0.0")
    monkeypatch.setattr(tfds_source, "prepare_data_sources", lambda *_: (info, {"train": records, "test": records}))
    return "tfds:stand_in"


# Read rightly: functions of a folder and pytest's monkeypatch that return (what was read, what is right).


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


def attributes(path, names, directions=((1.0, 0.0), (0.0, 2.0))):
    np.savez(path / "d.npz", names=names, directions=np.array(directions, np.float32))
    return load_attributes(path / "d.npz", 2)


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


# Refused: functions of the same that read, with the sentence.


def gzipped_records(path, _):
    write_tfrecords(path, "train", IMAGES, shards=1)
    file = next((path / "train").iterdir())
    file.write_bytes(gzip.compress(file.read_bytes()))
    return read(f"tfrecord:{path}")


def records_of_two_exports(path, _):
    write_tfrecords(path, "train", IMAGES, shards=2)
    write_tfrecords(path, "train", IMAGES, shards=3)
    for name in ("s-0001-of-0002", "s-0000-of-0003", "s-0002-of-0003"):
        next((path / "train").glob(f"*{name}*")).unlink()
    return read(f"tfrecord:{path}")


def records_of_16_bits(path, _):
    write_tfrecords(path, "train", [image.astype(np.uint16) for image in IMAGES])
    return read(f"tfrecord:{path}")


def damaged_test_split(path, _):
    source = folder_with(path, "x.txt", b"")
    (path / "test").mkdir()
    for name in ("a.png", "b.png"):
        (path / "test" / name).write_bytes(b"no picture")
    config = DataConfig(source, on_damaged="skip")
    return pipeline.arrays(open_source(config, SHAPE), "test", config, SHAPE)


def dangling_link(path, _):
    (path / "train").mkdir()
    save_pictures(path / "train", IMAGES)
    os.symlink(path / "gone.png", path / "train" / "link.png")
    return read(f"folder:{path}")


def endless_strip(path, _):
    for i in range(3):
        Image.new("L", (60_000, 1)).save(path / f"{i}.png")
    return read(f"folder:{path}", (64, 64, 1), fit="resize")


REFUSED = {
    "empty picture": (lambda p, _: read(folder_with(p, "x.png", b"")), "x.png cannot be read as an image"),
    "PDF called .jpg": (lambda p, _: read(folder_with(p, "x.jpg", b"%PDF-1.7")), "x.jpg cannot be read as an image"),
    "dangling link": (dangling_link, "link.png cannot be read as an image: .*No such file"),
    "strip of 60,000 pixels, resized": (endless_strip, "an image is 1x60000, .* resizing .* 64x3840000"),
    "test split of damaged images alone": (damaged_test_split, "none of the 2 test images can be read"),
    "one color image as an array": (
        lambda p, _: read(npy(p, np.zeros((40, 32, 3), np.uint8)), fit="resize"),
        r"got uint8 \(40, 32, 3\), which looks like one color image; give \[1, h, w, 3\]",
    ),
    "images of bool": (lambda p, _: read(npy(p, IMAGES > 99)), r"expected uint8 images .* got bool"),
    "images as PyTorch has them": (
        lambda p, _: read(npz(p, images=np.moveaxis(IMAGES, -1, 1))),
        "an image has 8 channels, the model 3",
    ),
    "one label for all images": (lambda p, _: read(npz(p, images=IMAGES, labels=3)), r"got int64 \(\)"),
    "archive in a folder": (
        lambda p, _: read(npz(p, **{"data/images": IMAGES})),
        "expected arrays images .*; got data/images",
    ),
    "gzipped records": (gzipped_records, r"0001.tfrecords is compressed \(gzip\); unpack it"),
    "records of two exports": (records_of_two_exports, "the names promise .* files of several exports"),
    "records of 16 bits": (records_of_16_bits, r"the record at byte \d+ cannot be read"),
    "LMDB of validation alone": (
        lambda p, _: read(lmdb(p, "val", [b""])),
        "expected .*tower_train_lmdb beside .*tower_val_lmdb",
    ),
    "LMDB with an empty value": (
        lambda p, _: read(lmdb(p, "train", [encoded(IMAGES[0], "webp")] * 9 + [b""])),
        "tower_train_lmdb, key key09 cannot be read as an image",
    ),
    "TFDS images of 16 bits": (
        lambda _, m: read(tfds(m, IMAGES.astype(np.uint16))),
        "tfds:stand_in: expected uint8 images .* got uint16",
    ),
    "attribute names of another number": (
        lambda p, _: attributes(p, ["Smiling"]),
        r"d.npz: .*expected directions as numbers \[1",
    ),
    "attribute named twice but for a line end": (
        lambda p, _: attributes(p, ["Smiling\r\n", "Smiling"]),
        "d.npz: .*names that differ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_file_ends_a_command_in_one_line(case, tmp_path, monkeypatch):
    load, sentence = REFUSED[case]
    _, err = call(lambda _: load(tmp_path, monkeypatch) and 0, "train.py", code=2)
    lines = [line for line in err.splitlines() if not line.startswith("left out: ")]
    assert len(lines) == 1 and re.search(sentence, lines[0]), err


def empty_shard(path):
    write_tfrecords(path, "train", IMAGES, shards=3)
    next((path / "train").glob("*s-0001*")).write_bytes(b"")
    return len(read(f"tfrecord:{path}")[0])


LEFT_OUT = {
    "validation split called val": (
        lambda p: len(read(npz(p, train=IMAGES, val=IMAGES, test=IMAGES))[0]),
        24,
        "a.npz: the arrays val are left out",
    ),
    "labels of a split that is not there": (
        lambda p: len(read(npz(p, images=IMAGES, train_labels=LABELS))[0]),
        12,
        "the arrays train_labels are left out",
    ),
    "empty file of records": (empty_shard, 8, r"s-0001-of-0003.tfrecords is empty"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_is_named(case, tmp_path):
    load, count, sentence = LEFT_OUT[case]
    with pytest.warns(UserWarning, match=sentence):
        assert load(tmp_path) == count
