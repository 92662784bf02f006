"""Test that a folder gives every image below it, or says which are left out."""

import warnings

import numpy as np
import pytest

from glow_tf.config import DataConfig, SplitRecord
from glow_tf.data import open_source
from glow_tf.data.folder_listing import list_images, list_images_of_format_1
from glow_tf.data.splits import draw_splits
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, color_images, save_pictures


def make(root, *folders, count=2):
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        save_pictures(root / folder, color_images(count))
    return root


def counts(root):
    """Return the number of images by split and class."""
    result = {}
    for split, files in list_images(root, "folder:x").items():
        for file in files:
            key = (split, file.class_name)
            result[key] = result.get(key, 0) + 1
    return result


def test_classes_and_loose_images_are_all_listed(tmp_path):
    make(tmp_path, "a", "b/deep", ".")
    assert counts(tmp_path) == {(None, "a"): 2, (None, "b"): 2, (None, None): 2}


@pytest.mark.parametrize("names", ["train val test", "Train Valid TEST", "train Validation Test"])
def test_split_folders_are_known_in_any_case(names, tmp_path):
    make(tmp_path, *(f"{name}/a" for name in names.split()))
    assert counts(tmp_path) == {(split, "a"): 2 for split in ("train", "validation", "test")}


@pytest.mark.parametrize(
    ("folders", "left_out"),
    [(("bus", "car", "train"), "2 in bus, 2 in car"), (("train/a", "test/a", "."), "2 beside it")],
)
def test_images_beside_split_folders_are_refused_by_name(folders, left_out, tmp_path):
    make(tmp_path, *folders)
    with pytest.raises(DataError, match=rf"would leave out images \({left_out}\); move these"):
        open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)


def test_two_folders_of_one_split_are_refused(tmp_path):
    make(tmp_path, "train", "val", "valid")
    with pytest.raises(DataError, match="train, val, valid name a split twice"):
        open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)


DEEP_SPLITS = {
    "one folder too high": ("cifar/train/a", "cifar/test/a"),
    "classes first": ("cat/train", "cat/Test", "dog/val"),
}


@pytest.mark.parametrize("case", DEEP_SPLITS)
def test_split_folders_below_others_are_not_pooled_in_silence(case, tmp_path):
    make(tmp_path, *DEEP_SPLITS[case])
    with pytest.raises(
        DataError, match="the splits directly in it, got .*; give the folder that holds train/ and test/"
    ):
        open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)


def test_run_that_was_started_on_pooled_split_folders_goes_on_with_a_warning(tmp_path):
    make(tmp_path, "cat/train", "cat/test")
    names = [f"cat/{split}/{i}.png" for split in ("test", "train") for i in range(2)]
    record = draw_splits({"train": np.arange(4)}, DataConfig("folder:x"), test=0.1, names=names)[1]
    with pytest.warns(UserWarning, match="got cat/test, cat/train; as when the run was started, their images are one"):
        assert len(list_images(tmp_path, "folder:x", was_one_set=True)[None]) == 4
    with pytest.warns(UserWarning, match="got cat/test, cat/train"):
        open_source(DataConfig(f"folder:{tmp_path}", split_record=record), SHAPE)


def test_run_on_split_folders_is_told_where_they_lie_once_they_are_deeper(tmp_path):
    record = open_source(DataConfig(f"folder:{make(tmp_path / 'cifar', 'train/a', 'test/a')}"), SHAPE).split_record
    with pytest.raises(DataError, match="expected the folders of the splits directly in it, got cifar/test, cifar/tra"):
        open_source(DataConfig(f"folder:{tmp_path}", split_record=record), SHAPE)


def test_one_class_of_a_splits_name_below_others_is_a_class(tmp_path):
    make(tmp_path, "vehicles/train", "vehicles/bus")
    assert counts(tmp_path) == {(None, "vehicles"): 4}


def test_split_folder_without_images_is_named(tmp_path):
    make(tmp_path, "train")
    (tmp_path / "Test").mkdir()
    with pytest.warns(
        UserWarning, match=r"folder:x: folders of splits without images are left out \(Test\); put their"
    ):
        assert counts(tmp_path) == {("train", None): 2}


def test_folder_that_may_not_be_looked_at_is_refused(tmp_path, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.is_dir", forbidden)
    with pytest.raises(DataError, match=rf"{tmp_path} cannot be read: Permission denied"):
        open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)


def test_links_are_followed_and_hidden_names_left_out(tmp_path):
    elsewhere = make(tmp_path / "elsewhere", "b", count=3)
    root = make(tmp_path / "h", "a", "c/.hidden", ".ipynb_checkpoints")
    (root / "b").symlink_to(elsewhere / "b")
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / ".0.png").write_bytes(b"hidden")
    (root / "a" / "link.png").symlink_to(make(tmp_path / "other", "b") / "b" / "0.png")
    assert counts(root) == {(None, "a"): 3, (None, "b"): 3}


@pytest.mark.parametrize(
    ("link", "target", "names"),
    [
        ("train/link.png", "test/0.png", r"\S*/test/0.png and \S*/train/link.png"),
        ("train/again", "train", None),
        ("train/b", "test", r"\S*/test/0.png and \S*/train/b/0.png"),
    ],
)
def test_image_that_a_link_lists_twice_is_refused(link, target, names, tmp_path):
    """Its two names could fall into the training and the test split."""
    make(tmp_path, "train", "test")
    (tmp_path / link).symlink_to(tmp_path / target)
    if names is None:  # a link to a folder that it lies in
        assert open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)
    else:
        with pytest.raises(DataError, match=f"{names} are one file, by a link"):
            open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)


def test_images_of_kinds_that_are_not_read_are_named(tmp_path):
    make(tmp_path, "a")
    (tmp_path / "a" / "x.HEIC").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"folder:x: 1 file of another kind \(.heic\) left out"):
        assert counts(tmp_path) == {(None, "a"): 2}


def test_tiff_files_are_listed_and_notes_ignored(tmp_path):
    make(tmp_path, "a", count=1)
    for name in ("b.tif", "c.TIFF", "notes.txt"):
        (tmp_path / "a" / name).write_bytes((tmp_path / "a" / "0.png").read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert counts(tmp_path) == {(None, "a"): 3}


@pytest.mark.parametrize("record", [None, SplitRecord("position")])
def test_folder_that_cannot_be_listed_is_refused(record, tmp_path, monkeypatch):
    make(tmp_path, "a")

    def forbidden(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(f"os.{name}", forbidden)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        open_source(DataConfig(f"folder:{tmp_path}", split_record=record), SHAPE)


def test_list_of_runs_of_format_1_stays_as_it_was(tmp_path):
    """Their held-out images are positions in it."""
    root = make(tmp_path / "h", "a", ".hidden")
    (root / "link").symlink_to(root / "a")
    (root / "a" / "x.tif").write_bytes(b"")
    names = [str(file.path.relative_to(root)) for file in list_images_of_format_1(root, "folder:x")[None]]
    assert names == [".hidden/0.png", ".hidden/1.png", "a/0.png", "a/1.png"]
    source = open_source(DataConfig(f"folder:{root}", split_record=SplitRecord("position")), SHAPE)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(source.rows.values()))), np.arange(4))
