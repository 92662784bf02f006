"""Test data files that cannot be used: a command refuses them in one line, or names what it leaves out."""

import gzip
import os
import re

import numpy as np
import pytest
from PIL import Image

from glow_tf.config import DataConfig
from glow_tf.data import open_source, pipeline
from helpers.commands import call
from helpers.data_files import IMAGES, LABELS, attributes, lmdb, npz, read, tfds
from helpers.source_cases import SHAPE, encoded, save_pictures, write_tfrecords

pytestmark = pytest.mark.slow


def npy(path, array):
    np.save(path / "a.npy", array)
    return f"npy:{path / 'a.npy'}"


def folder_with(path, name, content):
    """Make a folder of pictures, all training images, with one more file."""
    (path / "train").mkdir()
    save_pictures(path / "train", IMAGES)
    if content is not None:
        (path / "train" / name).write_bytes(content)
    return f"folder:{path}"


# Functions of a folder and pytest's monkeypatch that read what must be refused.


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
    "test split of damaged images alone": (damaged_test_split, "none of the test images .2. can be read"),
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
        "a.npz: arrays that are not read: val",
    ),
    "labels of a split that is not there": (
        lambda p: len(read(npz(p, images=IMAGES, train_labels=LABELS))[0]),
        12,
        "arrays that are not read: train_labels",
    ),
    "empty file of records": (empty_shard, 8, r"s-0001-of-0003.tfrecords is empty"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_is_named(case, tmp_path):
    load, count, sentence = LEFT_OUT[case]
    with pytest.warns(UserWarning, match=sentence):
        assert load(tmp_path) == count
