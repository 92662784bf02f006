"""Test LSUN's LMDB format on databases that the tests write."""

import dataclasses
import re

import numpy as np
import pytest

from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, arrays, color_images, encoded, message_that_stops, read_all


def write_lmdb(root, end, images):
    """Write LSUN's database `<root>/tower_<end>_lmdb` of images, or of any bytes."""
    lmdb = pytest.importorskip("lmdb", reason="the extra lmdb is not installed")
    with lmdb.open(str(root / f"tower_{end}_lmdb"), map_size=1 << 22) as environment:
        with environment.begin(write=True) as transaction:
            for i, image in enumerate(images):
                transaction.put(f"key{i:02d}".encode(), image if isinstance(image, bytes) else encoded(image, "webp"))


def test_lsun_lmdb_images_and_splits_are_read(tmp_path):
    images = color_images(5, 10)
    write_lmdb(tmp_path, "train", images[:4])
    write_lmdb(tmp_path, "val", images[4:])
    config = DataConfig(f"lsun-lmdb:{tmp_path / 'tower'}", fit="crop")
    source = open_source(config, SHAPE)
    assert [source.size(s) for s in ("train", "validation", "test")] == [3, 1, 1]
    np.testing.assert_array_equal(arrays(source, "test", config)[0], images[4:, 1:9, 1:9])
    again = open_source(config, SHAPE)
    np.testing.assert_array_equal(arrays(again, "test", config)[0], images[4:, 1:9, 1:9])


def test_missing_and_damaged_lmdb_are_rejected(tmp_path):
    pytest.importorskip("lmdb", reason="the extra lmdb is not installed")
    config = DataConfig(f"lsun-lmdb:{tmp_path}")
    with pytest.raises(DataError, match="no database"):
        open_source(config, SHAPE)
    (tmp_path / "data.mdb").write_bytes(b"nonsense" * 1000)
    with pytest.raises(DataError, match="cannot be read as an LMDB database"):
        open_source(config, SHAPE)


def test_a_damaged_lmdb_record_is_named_and_skipped_or_stops_the_run(tmp_path, capsys, caplog):
    good = color_images(7)
    write_lmdb(tmp_path, "train", [*good[:3], encoded(good[3], "webp")[:50], *good[4:]])
    write_lmdb(tmp_path, "val", good[:2])
    config = DataConfig(f"lsun-lmdb:{tmp_path / 'tower'}", on_damaged="skip")
    assert read_all(config) == 6
    assert re.search(r"left out: .*tower_train_lmdb, key key03 cannot be read as an image", caplog.text)
    err = message_that_stops(capsys, dataclasses.replace(config, on_damaged="stop"))
    assert "tower_train_lmdb, key key03 cannot be read as an image" in err
