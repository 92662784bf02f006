"""Test LSUN's LMDB format on databases that the tests write."""

import dataclasses
import re

import numpy as np
import pytest

from glow_tf.config import DataConfig
from glow_tf.data import lsun, open_source
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


def test_lmdb_that_is_cut_off_is_refused_before_it_is_read(tmp_path):
    """LMDB maps the file into memory, and a page behind its end would end the process."""
    lmdb = pytest.importorskip("lmdb", reason="the extra lmdb is not installed")
    write_lmdb(tmp_path, "train", [bytes(20_000)] * 9)
    path = tmp_path / "tower_train_lmdb"
    whole = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):  # the first leaves no database open
        with pytest.raises(
            DataError, match=r"data.mdb has [\d,]+ bytes, expected at least [\d,]+: it is cut off; copy or"
        ):
            lsun._open_environment(lmdb, path, "lsun-lmdb:x")
    (path / "data.mdb").write_bytes(whole)
    assert lsun._open_environment(lmdb, path, "lsun-lmdb:x").stat()["entries"] == 9


def test_whole_lmdb_from_which_images_were_deleted_is_read(tmp_path):
    """Pages that were freed before they were written may be missing at its end."""
    lmdb = pytest.importorskip("lmdb", reason="the extra lmdb is not installed")
    rng = np.random.default_rng(0)
    for i in range(60):
        path = tmp_path / str(i)
        with lmdb.open(str(path), map_size=1 << 28, sync=False) as environment:
            for _ in range(8):
                with environment.begin(write=True) as transaction:
                    for key in rng.integers(0, 60, 40).tolist():
                        if rng.random() < 0.6:
                            transaction.put(b"%d" % key, bytes(rng.choice([10, 900, 9000, 90_000])))
                        else:
                            transaction.delete(b"%d" % key)
            last_page = environment.info()["last_pgno"]
        environment = lsun._open_environment(lmdb, path, "lsun-lmdb:x")
        is_short = (path / "data.mdb").stat().st_size < (last_page + 1) * environment.stat()["psize"]
        if is_short:
            with environment.begin() as transaction:
                assert sum(len(value) > 0 for _, value in transaction.cursor()) == environment.stat()["entries"]
            return
    pytest.fail("no database is shorter than the number of its last page says")
