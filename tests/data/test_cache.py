"""Test that a cache of decoded images changes no batch, serves later runs, and notices what makes it invalid."""

import dataclasses
import itertools
import json
import os
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

from glow_tf.config import DataConfig
from glow_tf.data import aliased, cache, cache_folder, open_source, pipeline
from glow_tf.data.decoded_images import MappedImageTable
from glow_tf.data.files import RecordSource
from helpers.marks import slow_but
from helpers.source_cases import SHAPE, arrays, rows_of_splits

RNG = np.random.default_rng(0)


@pytest.fixture
def on_disk(monkeypatch):
    """Keep even the smallest source on disk."""
    monkeypatch.setattr(cache, "MAX_BYTES_IN_MEMORY", 0)


def make_folder(root, count=10, sizes=((12, 10), (9, 16), (20, 20))):
    """Write images of several sizes, gray and color, in folders of two classes."""
    for i in range(count):
        height, width = sizes[i % len(sizes)]
        picture = Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8))
        (root / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (picture.convert("L") if i % 3 == 1 else picture).save(root / "ab"[i % 2] / f"{i}.png")
    return root


def open_cached(config, cache_dir):
    return open_source(config, SHAPE, cache="auto", cache_dir=cache_dir)


def batches(source, config, steps=5):
    """Return training batches of more than one epoch, and evaluation batches of all splits, as arrays."""
    training = pipeline.training_batches(source, config, image_shape=SHAPE, batch_size=4, seed=3)
    result = list(itertools.islice(training.as_numpy_iterator(), steps))
    options = dict(image_shape=SHAPE, batch_size=4, seed=3, rows=rows_of_splits(source))
    return result + list(pipeline.evaluation_batches(source, "test", config, **options).as_numpy_iterator())


def images(source, config):
    """Return the images of all splits as one array."""
    return arrays(source, "test", config, rows=rows_of_splits(source))[0]


def assert_same(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def forbid_decoding(monkeypatch):
    monkeypatch.setattr(RecordSource, "_load_checked", lambda self, row: pytest.fail(f"record {row} was decoded"))


@pytest.mark.parametrize(
    ("fit", "augment"), [("resize", "none"), pytest.param("random_crop", "full", marks=pytest.mark.slow)]
)
def test_cached_batches_equal_uncached_ones_and_decode_each_image_once(fit, augment, tmp_path, on_disk, monkeypatch):
    root = make_folder(tmp_path / "images")
    (root / "a" / "0.png").write_bytes(b"no picture")
    config = DataConfig(f"folder:{root}", fit=fit, augment=augment, flip=True, labels=True, on_damaged="skip")
    expected = batches(open_source(config, SHAPE), config)
    source = open_cached(config, tmp_path / "caches")
    assert_same(batches(source, config), expected)
    assert int(source.table.columns["filled"].sum()) == 9, "the damaged image is not stored"
    source.close()
    again, calls, load = open_cached(config, tmp_path / "caches"), [], RecordSource._load_checked
    monkeypatch.setattr(RecordSource, "_load_checked", lambda self, row: calls.append(int(row)) or load(self, row))
    assert_same(batches(again, config), expected)
    (damaged,) = set(calls)
    assert not again.table.columns["filled"][damaged]


@pytest.mark.slow
def test_small_sources_are_cached_in_memory_and_leave_no_files(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "images", sizes=((8, 8),))
    config = DataConfig(f"folder:{root}")
    expected = batches(open_source(config, SHAPE), config)
    source = open_cached(config, tmp_path / "caches")
    assert_same(batches(source, config), expected)
    forbid_decoding(monkeypatch)
    assert_same(batches(source, config), expected)
    assert not (tmp_path / "caches").exists()
    assert not isinstance(open_source(config, SHAPE), cache.CachedSource), "a library's caller asks for a cache"


@pytest.mark.slow
def test_images_that_need_no_fitting_are_decoded_by_one_call_a_group(tmp_path):
    root = make_folder(tmp_path / "images", sizes=((8, 8),))
    for i in range(1, 10, 3):
        Image.fromarray(RNG.integers(0, 256, SHAPE, np.uint8)).save(root / "ab"[i % 2] / f"{i}.png")
    (root / "b" / "5.png").write_bytes(b"no picture")
    config = DataConfig(f"folder:{root}", labels=True, on_damaged="skip")
    expected = batches(open_source(config, SHAPE), config)
    source = open_cached(config, tmp_path)
    assert_same(batches(source, config), expected)
    assert source._fills_groups and int(source.table.columns["filled"].sum()) == 9
    Image.fromarray(RNG.integers(0, 256, (8, 8), np.uint8)).save(root / "a" / "0.png")  # gray: fitted in the graph
    gray = open_cached(config, tmp_path)
    assert_same(batches(gray, config), batches(open_source(config, SHAPE), config))
    assert not gray._fills_groups


@pytest.mark.slow
def test_cache_is_renewed_when_images_or_their_preparation_change(tmp_path, on_disk):
    root, caches = make_folder(tmp_path / "images"), tmp_path / "caches"
    config = DataConfig(f"folder:{root}", fit="resize")
    source = open_cached(config, caches)
    images(source, config)
    source.close()
    first = source.folder.path
    about = json.loads((first / "about.json").read_text())
    assert about["source"] == config.source and about["images"] == 10
    crop = dataclasses.replace(config, fit="crop")
    assert open_cached(crop, caches).folder.path != first
    path = root / "b" / "1.png"
    Image.fromarray(np.full((9, 16), 77, np.uint8)).save(path)
    times = path.stat().st_mtime_ns
    changed = open_cached(config, caches)
    assert changed.folder.path != first and not changed.table.columns["filled"].any()
    np.testing.assert_array_equal(images(changed, config), images(open_source(config, SHAPE), config))
    os.utime(path, ns=(times, times))
    assert open_cached(config, caches).folder.path != changed.folder.path, "by the time of the change itself"


def damage_pixels(folder):
    (path,) = folder.glob("pixels-*.bin")
    data = bytearray(path.read_bytes())
    data[5 * 192 + 3] ^= 1
    path.write_bytes(data)


def cut_pixels(folder):
    (path,) = folder.glob("pixels-*.bin")
    os.truncate(path, 100)


def damage_index(folder):
    path = folder / "index.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def encrypt_index(folder):
    set_zip_field(folder, 8, 1)  # flags


def compress_index_in_an_unknown_way(folder):
    set_zip_field(folder, 10, 99)  # compression method


def set_zip_field(folder, offset, value):
    """Set a field of the first entry in the directory of the index."""
    path = folder / "index.npz"
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + offset] = value
    path.write_bytes(data)


def replace_slot_shape(folder):
    with np.load(folder / "index.npz") as index:
        arrays = dict(index) | {"slot_shape": np.array("x")}
    np.savez(folder / "index.npz", **arrays)


DAMAGES = [
    damage_pixels,
    cut_pixels,
    damage_index,
    encrypt_index,
    compress_index_in_an_unknown_way,
    replace_slot_shape,
]


@pytest.fixture(scope="module")
def filled_cache(tmp_path_factory):
    """Decode a folder of images; return the configuration, the folder of its cache, and the images."""
    folder = tmp_path_factory.mktemp("filled")
    config = DataConfig(f"folder:{make_folder(folder / 'images')}", fit="resize")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "MAX_BYTES_IN_MEMORY", 0)
        source = open_cached(config, folder / "caches")
        decoded = images(source, config)
        source.close()
    return config, folder / "caches", decoded


@pytest.mark.parametrize("damage", slow_but([damage_pixels], DAMAGES))
def test_damaged_cache_is_made_again(damage, filled_cache, tmp_path, on_disk):
    config, caches, expected = filled_cache
    shutil.copytree(caches, tmp_path / "caches")
    [folder] = (path.parent for path in (tmp_path / "caches").rglob("index.npz"))
    damage(folder)
    with pytest.warns(UserWarning, match="the cache of decoded images .* is damaged .* and is made again"):
        again = open_cached(config, tmp_path / "caches")
    np.testing.assert_array_equal(images(again, config), expected)


@pytest.mark.slow
def test_second_process_reads_what_the_first_has_saved(tmp_path, on_disk, monkeypatch):
    root, caches = make_folder(tmp_path / "images"), tmp_path / "caches"
    config = DataConfig(f"folder:{root}", fit="resize")
    first, sharing = open_cached(config, caches), open_cached(config, caches)
    assert sharing.table is first.table, "within a process"
    sharing.close()
    monkeypatch.setattr(cache_folder, "_open_folders", {})  # as in another process
    with pytest.warns(UserWarning, match="holds no images yet, and cannot be filled: .* is in use by process"):
        assert isinstance(open_cached(config, caches), RecordSource)
    expected = images(first, config)
    with first.folder._saving:
        first.folder._save()
    second = open_cached(config, caches)
    assert not second.table.writable and second.table.columns["filled"].all()
    forbid_decoding(monkeypatch)
    np.testing.assert_array_equal(images(second, config), expected)


def test_cache_is_left_out_where_there_is_no_room_and_ends_on_a_full_disk(tmp_path, on_disk, monkeypatch):
    config = DataConfig(f"folder:{make_folder(tmp_path / 'images')}", fit="resize")
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.warns(UserWarning, match="are not cached, and training reads more slowly: .* has 0.0 MB free"):
            assert isinstance(open_cached(config, tmp_path / "caches"), RecordSource)
    (tmp_path / "file").touch()
    with pytest.warns(
        UserWarning, match="are not cached, .*: cannot write .*: a part of the path is a file, not a folder"
    ):
        assert isinstance(open_cached(config, tmp_path / "file"), RecordSource)
    source = open_cached(config, tmp_path / "caches")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MappedImageTable, "_write", full)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = images(source, config)
    assert any("no more images are cached" in str(w.message) for w in caught)
    np.testing.assert_array_equal(result, images(open_source(config, SHAPE), config))


@pytest.mark.slow
def test_group_whose_last_image_does_not_fit_on_the_disk_is_decoded_again(tmp_path, on_disk, monkeypatch):
    config = DataConfig(f"folder:{make_folder(tmp_path / 'images', sizes=((8, 8),))}")
    for path in (tmp_path / "images").rglob("*.png"):
        Image.open(path).convert("RGB").save(path)  # none needs fitting
    source, write, count = open_cached(config, tmp_path / "caches"), MappedImageTable._write, itertools.count(1)

    def full_at_the_fourth(*arguments):
        if next(count) == 4:
            raise OSError(28, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(MappedImageTable, "_write", full_at_the_fourth)
    with pytest.warns(UserWarning, match="no more images are cached"):
        assert not source._fill_group(np.arange(4))
    assert source.table.columns["filled"].sum() == 3
    assert_same(batches(source, config), batches(open_source(config, SHAPE), config))


def test_cache_is_saved_while_it_is_filled(tmp_path, on_disk, monkeypatch):
    monkeypatch.setattr(cache_folder, "SAVE_INTERVAL_SECONDS", 0)
    config = DataConfig(f"folder:{make_folder(tmp_path / 'images')}", fit="resize")
    source = open_cached(config, tmp_path / "caches")
    pipeline.arrays(source, "train", config, SHAPE, 3)
    with source.folder._saving:  # waits for a save in progress
        with np.load(source.folder.path / "index.npz") as index:
            assert index["filled"].any() and not index["filled"].all()


def test_cached_images_keep_their_credits(tmp_path):
    config = DataConfig(f"folder:{make_folder(tmp_path / 'images')}", fit="resize")
    source = open_source(config, SHAPE)
    source.credits = "by a friend"
    assert cache.cached(source, config, SHAPE).credits == "by a friend"


def test_variables_share_the_memory_of_their_arrays():
    assert aliased.is_supported()
