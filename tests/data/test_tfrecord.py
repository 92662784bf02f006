"""Test the original's TFRecords on files that the tests write."""

import dataclasses
import os
import re
import struct

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.config import DataConfig
from glow_tf.data import open_source, pipeline
from glow_tf.errors import DataError
from helpers.source_cases import RNG, SHAPE, arrays, color_images, message_that_stops, read_all, write_tfrecords


def test_tfrecord_images_and_attributes_are_read(tmp_path):
    images, tags = color_images(7), RNG.choice([-1, 1], (7, 40))
    write_tfrecords(tmp_path, "train", images, attributes=tags)
    write_tfrecords(tmp_path, "validation", images[:3], attributes=tags[:3])
    config = DataConfig(f"tfrecord:{tmp_path}")
    source = open_source(config, SHAPE)
    assert source.size("test") == 3, "what the original calls validation is its test set"
    assert len(source.attribute_names) == 40 and source.attribute_names[31] == "Smiling"
    read_images, _, attributes = arrays(source, "test", config)
    order = [0, 2, 1]
    np.testing.assert_array_equal(read_images, images[order])
    np.testing.assert_array_equal(attributes, tags[order])
    train = source.rows_of("train").tolist()
    assert len({source.image(row).tobytes() for row in train}) == len(train), "one thread reads one after another"
    assert not tf.io.gfile.glob("ram://glow_tf/*"), "no record stays in memory"


@pytest.mark.parametrize("resolutions", [(2, 3, 4), (2, 3), (4, 5)])
def test_tfrecords_of_the_smallest_resolution_that_holds_the_model_are_read(resolutions, tmp_path):
    """Images of 8x8 come from r=3, and from the next larger one where there is none."""
    for r in resolutions:
        write_tfrecords(tmp_path, "train", color_images(r, 2**r), r=r, shards=1)
    config = DataConfig(f"tfrecord:{tmp_path}", fit="resize")
    source = open_source(config, SHAPE)
    expected = 3 if 3 in resolutions else 4
    assert source.size("train") + source.size("validation") == expected


def test_random_crops_of_tfrecords_keep_their_labels(tmp_path):
    images, labels = color_images(6, 12), [0, 1, 2, 0, 1, 2]
    write_tfrecords(tmp_path, "train", images, r=4, labels=labels)
    write_tfrecords(tmp_path, "validation", images, r=4, labels=labels)
    config = DataConfig(f"tfrecord:{tmp_path}", fit="random_crop", labels=True)
    source = open_source(config, SHAPE)
    assert source.classes == 3
    batches = pipeline.training_batches(source, config, image_shape=SHAPE, batch_size=6, seed=0)
    batch = next(iter(batches))
    windows = np.lib.stride_tricks.sliding_window_view(images, (8, 8), axis=(1, 2))
    for crop, label in zip(batch["image"].numpy(), batch["label"].numpy(), strict=True):
        hits = np.all(windows == np.moveaxis(crop, -1, 0)[None, None, None], axis=(3, 4, 5))
        assert hits.sum() == 1 and labels[int(np.argwhere(hits)[0][0])] == label


def test_missing_tfrecord_files_are_rejected(tmp_path):
    write_tfrecords(tmp_path, "train", color_images(6), shards=3)
    next((tmp_path / "train").glob("*s-0001*")).unlink()
    with pytest.raises(DataError, match="promise 3 files, there are 2"):
        open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)
    with pytest.raises(DataError, match="found none"):
        open_source(DataConfig(f"tfrecord:{tmp_path / 'none'}"), SHAPE)


def test_truncated_tfrecord_is_rejected(tmp_path):
    write_tfrecords(tmp_path, "train", color_images(4), shards=1)
    path = next((tmp_path / "train").iterdir())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cut off in record 3"):
        open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)


def damage_record(path, number):
    """Flip a bit in the pixels of a record."""
    content, offset = bytearray(path.read_bytes()), 0
    for _ in range(number):
        offset += 16 + struct.unpack_from("<Q", content, offset)[0]
    content[offset + 150] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_tfrecord_is_named_and_skipped_or_stops_the_run(number, labels, tmp_path, capsys, caplog):
    tags = RNG.choice([-1, 1], (40, 40))
    write_tfrecords(tmp_path, "train", color_images(40), shards=1, labels=[0, 2] * 20, attributes=tags)
    damage_record(next((tmp_path / "train").iterdir()), number)
    config = DataConfig(f"tfrecord:{tmp_path}", on_damaged="skip", labels=labels)
    source = open_source(config, SHAPE)
    assert source.classes == (3 if labels else 0) and len(source.attribute_names) == 40
    assert read_all(config) == 39
    message = r"left out: .*train-r05-s-0000-of-0001.tfrecords, the record at byte \d+ cannot be read: its checksum is"
    assert re.search(message, caplog.text)
    err = message_that_stops(capsys, dataclasses.replace(config, on_damaged="stop"))
    assert "train-r05-s-0000-of-0001.tfrecords, the record at byte" in err


def test_tfrecord_that_is_cut_while_it_is_read_is_named_with_its_place(tmp_path):
    write_tfrecords(tmp_path, "train", color_images(3), shards=1)
    source = open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)
    path = next((tmp_path / "train").iterdir())
    length = path.stat().st_size
    os.truncate(path, length - 10)
    offset = 12 + 2 * length // 3
    with pytest.raises(DataError, match=f"the record at byte {offset} cannot be read: the file ends before the record"):
        source._load_checked(2)
    assert source._load_checked(1)[0].shape == SHAPE


def test_tfrecords_without_a_readable_record_are_rejected(tmp_path):
    write_tfrecords(tmp_path, "train", color_images(2), shards=1)
    for number in (0, 1):
        damage_record(next((tmp_path / "train").iterdir()), number)
    with pytest.raises(DataError, match=r"none of the training records \(2\) can be read"):
        open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)


def test_tfrecord_that_is_no_file_is_refused_and_does_not_hang(tmp_path):
    write_tfrecords(tmp_path, "train", color_images(6))
    path = next((tmp_path / "train").glob("*s-0001*"))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="s-0001-of-0002.tfrecords is not a regular file"):
        open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)


def test_record_without_the_attributes_of_the_others_is_damaged(tmp_path):
    attributes = [[1] * 40, [1] * 40, [], [3] * 40]
    write_tfrecords(tmp_path, "train", color_images(4), shards=1, attributes=attributes)
    source = open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)
    assert source._load_checked(1)[2].sum() == 40
    for row in (2, 3):
        with pytest.raises(DataError, match="cannot be read: it has no 40 attributes of -1 or 1"):
            source._load_checked(row)
