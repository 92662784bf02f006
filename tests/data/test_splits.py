"""Test that held-out images stay held out when a source grows, or that the source is refused."""

import dataclasses
import shutil

import numpy as np
import pytest

from glow_tf.config import DataConfig, SplitRecord
from glow_tf.data import open_source
from glow_tf.data.hold_out import digest, name_hash
from glow_tf.data.splits import draw_splits
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, color_images, save_pictures, write_tfrecords

CONFIG = DataConfig("folder:x", validation=0.05)


def names_by_split(names, config=CONFIG):
    """Draw the splits of names; return `({split: set of names}, SplitRecord)`."""
    rows, record = draw_splits({"train": np.arange(len(names))}, config, test=0.1, names=names)
    splits = {split: {names[row] for row in split_rows} for split, split_rows in rows.items()}
    assert sum(map(len, rows.values())) == len(names) == len(set.union(*splits.values())), "each in one split"
    return splits, record


@pytest.mark.parametrize("count", [3, 12, 60, 1000])
@pytest.mark.parametrize("added", [1, 12, 100])
def test_no_named_image_changes_its_split_when_images_are_added(count, added):
    names = [f"picture {i}.png" for i in range(count)]
    before, record = names_by_split(names)
    more = [f"a{i}.png" for i in range(added // 2)] + names + [f"z{i}.png" for i in range(added - added // 2)]
    after, again = names_by_split(more, dataclasses.replace(CONFIG, split_record=record))
    for split, held in before.items():
        assert held <= after[split]
    assert (again.test, again.validation) == (record.test, record.validation)


def test_shares_of_named_images_are_near_those_asked_for():
    splits, record = names_by_split([f"{i}.png" for i in range(20_000)])
    assert record == SplitRecord("name", 20_000, test=0.1, validation=0.05)
    assert abs(len(splits["test"]) - 2000) < 4 * 43 and abs(len(splits["validation"]) - 900) < 4 * 30


@pytest.mark.parametrize("names", [["a", "b", "c"], [b"1", b"2", b"3", b"4"]])
def test_each_split_of_a_few_named_images_has_one(names):
    assert min(map(len, names_by_split(names)[0].values())) >= 1


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (
            3,
            r"none of the images that are left of the run's data \(2\) belong to its test split; bring the others back",
        ),
        (
            None,
            r"none of the images \(2\) belong to the test split, which is drawn by their names as in the run",
        ),
    ],
    ids=["the run's data", "another source"],
)
def test_source_without_an_image_of_a_split_is_refused(images, sentence):
    config = dataclasses.replace(CONFIG, split_record=SplitRecord("name", images, test=0.0, validation=0.5))
    with pytest.raises(DataError, match=sentence):
        names_by_split(["a", "b"], config)


def test_hashes_of_names_are_fixed():
    """Other hashes would move the held-out images of every run."""
    assert name_hash("cat/1.png", "test") == name_hash(b"cat/1.png", "test") == 0.3652389622333285
    assert name_hash("cat/1.png", "validation") == 0.8218815841807333, "splits are independent"
    assert name_hash("\u00e9", "test") == name_hash("e\u0301", "test"), "file systems compose letters or do not"


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_for_three_splits_are_rejected(count):
    for names in (None, ["a", "b"][:count]):
        with pytest.raises(
            DataError, match=r"too few to hold out any for .*: \d images? to train on; expected 3 or more"
        ):
            draw_splits({"train": range(count)}, CONFIG, test=0.1, names=names, fingerprint=str)


def test_run_of_format_1_keeps_the_positions_that_it_held_out():
    names = [f"{i:02d}" for i in range(20)]
    splits, record = names_by_split(names, dataclasses.replace(CONFIG, split_record=SplitRecord("position")))
    assert splits["test"] == {"04", "19"}
    assert record.rule == "position" and record.images == 20
    config = dataclasses.replace(CONFIG, split_record=record)
    assert names_by_split(names, config)[0] == splits
    with pytest.raises(DataError, match="started with 20 images to split and there are 21 images now"):
        names_by_split([*names, "new"], config)
    with pytest.raises(DataError, match="there are other images now"):
        names_by_split([*names[:-1], "new"], config)


def write_npz(root, images):
    np.savez(root / "a.npz", images=images)
    return f"npz:{root / 'a.npz'}"


def write_npy(root, images):
    np.save(root / "a.npy", images)
    return f"npy:{root / 'a.npy'}"


def write_records(root, images):
    return f"tfrecord:{write_tfrecords(root, 'train', images, shards=1)}"


def write_folder(root, images):
    return f"folder:{save_pictures(root, images)}"


@pytest.mark.parametrize("write", [write_npz, write_npy, write_records])
@pytest.mark.parametrize("change", ["added", "other"])
def test_changed_images_without_names_are_refused_by_a_run_that_recorded_them(write, change, tmp_path):
    images = color_images(40)
    config = DataConfig(write(tmp_path, images))
    record = open_source(config, SHAPE).split_record
    assert record.rule == "position" and record.images == 40
    config = dataclasses.replace(config, split_record=record)
    assert open_source(config, SHAPE).split_record == record
    if change == "added":
        images, message = np.concatenate([images, color_images(1)]), "40 images to split and there are 41 images now"
    else:
        images[7, 0, 0, 0] ^= 1
        message = "there are other images now"
    write(tmp_path, images)
    with pytest.raises(DataError, match=message):
        open_source(config, SHAPE)
    assert open_source(dataclasses.replace(config, split_record=None), SHAPE), "a new run takes them"


def contents(source, split):
    return {source._load(row)[0].tobytes() for row in source.rows_of(split)}


def test_images_added_to_a_folder_move_none(tmp_path):
    images = color_images(60)
    config = DataConfig(write_folder(tmp_path, images[:40]))
    before = open_source(config, SHAPE)
    held_out = contents(before, "test")
    write_folder(tmp_path, images)
    after = open_source(dataclasses.replace(config, split_record=before.split_record), SHAPE)
    assert held_out <= contents(after, "test")
    assert contents(before, "train") <= contents(after, "train")


def test_run_on_an_archive_with_all_splits_refuses_it_without_one(tmp_path):
    splits = dict.fromkeys(["train", "validation", "test"], color_images(4))
    np.savez(tmp_path / "a.npz", **splits)
    config = DataConfig(f"npz:{tmp_path / 'a.npz'}")
    record = open_source(config, SHAPE).split_record
    assert record.rule == "position" and record.images == 0
    config = dataclasses.replace(config, split_record=record)
    assert open_source(config, SHAPE).split_record == record
    del splits["validation"]
    np.savez(tmp_path / "a.npz", **splits)
    with pytest.raises(DataError, match=r"a.npz has other splits than when the run was started; bring them back"):
        open_source(config, SHAPE)


@pytest.mark.parametrize("change", ["order", "test image"])
def test_run_on_an_archive_with_all_splits_refuses_other_images(change, tmp_path):
    """Nothing is held out by position, and yet the images are not those that were trained on, or tested on."""
    splits = {split: color_images(4) for split in ("train", "validation", "test")}
    np.savez(tmp_path / "a.npz", **splits)
    config = DataConfig(f"npz:{tmp_path / 'a.npz'}")
    config = dataclasses.replace(config, split_record=open_source(config, SHAPE).split_record)
    assert open_source(config, SHAPE).split_record == config.split_record
    if change == "order":
        splits["train"] = splits["train"][::-1]
    else:
        splits["test"][0, 0, 0, 0] ^= 1
    np.savez(tmp_path / "a.npz", **splits)
    with pytest.raises(DataError, match=r"a.npz has changed since the run was started: there are other images now"):
        open_source(config, SHAPE)
    old = dataclasses.replace(config, split_record=SplitRecord("position", 0))
    assert open_source(old, SHAPE).split_record.digest, "a run of an earlier version resumes, and records them now"


@pytest.mark.parametrize("at_the_start", [["train", "val", "test"], ["train", "test"], ["train", "val"]])
@pytest.mark.parametrize("change", [["test"], ["val"], ["test", "val"]])
def test_run_on_a_folder_refuses_other_splits_than_it_began_with(at_the_start, change, tmp_path):
    """Images that were trained on would be drawn for the split that has gone, or the other way round."""
    for i, name in enumerate(at_the_start):
        (tmp_path / name).mkdir()
        save_pictures(tmp_path / name, color_images(8)[i:])
    config = DataConfig(f"folder:{tmp_path}")
    record = open_source(config, SHAPE).split_record
    config = dataclasses.replace(config, split_record=record)
    assert open_source(config, SHAPE).split_record == record
    for name in change:
        if (tmp_path / name).is_dir():
            shutil.rmtree(tmp_path / name)
        else:
            (tmp_path / name).mkdir()
            save_pictures(tmp_path / name, color_images(2))
    if change == ["test"]:  # a folder with splits but without a test split tests on its validation split
        assert open_source(config, SHAPE)
    else:
        with pytest.raises(DataError, match="has other splits than when the run was started"):
            open_source(config, SHAPE)


def test_run_that_a_test_folder_gave_its_test_split_never_draws_one(tmp_path):
    save_pictures(tmp_path, color_images(8))
    config = DataConfig(f"folder:{tmp_path}", split_record=SplitRecord("name", 8, validation=0.5))
    with pytest.raises(DataError, match="has other splits than when the run was started"):
        open_source(config, SHAPE)


def test_digests_differ_in_shape_type_and_content():
    a = np.zeros((4, 4), np.uint8)
    assert len({digest(a), digest(a.reshape(2, 8)), digest(a.astype(np.int8)), digest(a + 1), digest(b"")}) == 5
    assert digest(a) == digest(np.asfortranarray(a))
