"""Test what is checked of a folder before it is written, and that its replacement never leaves its name empty."""

import collections
import os
import pathlib
import shutil

import pytest

from glow_tf import folders
from glow_tf.errors import RunError
from glow_tf.folders import check_pattern_free, check_room, check_writable, prepare_folder, recover_folder
from helpers.damage import run_until_killed

DEAD = 2**22 + 1
"""Number of no process: above the largest that Linux gives."""


def make(path, text):
    path.mkdir()
    (path / "file").write_text(text)
    return path


def content(path):
    return (path / "file").read_text()


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two moves"])
def test_folder_replaces_another(exchange, tmp_path, monkeypatch):
    if not exchange:
        monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    old, new = make(tmp_path / "served", "old"), make(tmp_path / "new", "new")
    folders.replace_folder(new, old)
    assert content(old) == "new" and os.listdir(tmp_path) == ["served"]
    folders.replace_folder(make(tmp_path / "new", "new"), tmp_path / "other")
    assert content(tmp_path / "other") == "new"


def test_linux_exchanges_two_folders_at_once(tmp_path):
    first, second = make(tmp_path / "first", "1"), make(tmp_path / "second", "2")
    assert folders._exchange(first, second)
    assert (content(first), content(second)) == ("2", "1")
    assert not folders._exchange(first, tmp_path / "nothing")


def test_failed_replacement_leaves_the_old_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    old = make(tmp_path / "served", "old")
    with pytest.raises(FileNotFoundError):
        folders.replace_folder(tmp_path / "nothing", old)
    assert content(old) == "old" and os.listdir(tmp_path) == ["served"]


def test_folder_that_a_kill_left_aside_is_moved_back(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    old, new = make(tmp_path / "served", "old"), make(tmp_path / f".{DEAD}.served", "new")
    run_until_killed(lambda: folders.replace_folder(new, old), 2)
    assert not old.exists()
    assert prepare_folder(old) == old
    assert content(old) == "old" and os.listdir(tmp_path) == ["served"]


def test_folder_that_cannot_be_moved_back_is_one_sentence(tmp_path, monkeypatch):
    make(tmp_path / f".{DEAD}.served.old", "old")

    def fail(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RunError, match="cannot write .*served: Permission denied"):
        recover_folder(tmp_path / "served")


def test_only_the_leftovers_of_one_name_are_removed(tmp_path):
    kept = [tmp_path / f".{DEAD}.other", tmp_path / f".{os.getppid()}.served", tmp_path / "served.old"]
    gone = [tmp_path / f".{DEAD}.served{ending}" for ending in ("", ".new", ".old")]
    for path in (*kept, *gone, tmp_path / "served"):
        make(path, "")
    prepare_folder(tmp_path / "served")
    assert all(p.exists() for p in kept) and not any(p.exists() for p in gone)


def test_link_is_written_through(tmp_path):
    make(tmp_path / "v1", "old")
    (tmp_path / "current").symlink_to("v1")
    assert prepare_folder(tmp_path / "current") == (tmp_path / "v1").resolve()


def test_present_folder_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert prepare_folder(".").name == "out"
    recover_folder(tmp_path / ("n" * 300))  # nothing of that name, and no traceback


@pytest.mark.parametrize("name", ["a[b]", "a*", "a?b", "a\\b"])
def test_path_that_tensorflow_takes_for_a_pattern_is_refused(name, tmp_path):
    with pytest.raises(RunError, match="which TensorFlow takes for a pattern of names"):
        check_pattern_free(tmp_path / name / "run")
    check_pattern_free(tmp_path / "a]b {c} é, 'd'" / "run")
    check_pattern_free(pathlib.PureWindowsPath(r"C:\runs\one"))  # as every path on Windows


def test_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    no_folder = "a part of the path is a file, not a folder"
    for path, reason in (("file", no_folder), ("file/x", no_folder), ("loop/x", ""), ("n" * 300, "File name too long")):
        with pytest.raises(RunError, match=f"cannot write .*{reason}"):
            check_writable(tmp_path / path)
    check_writable(tmp_path / "new" / "deep")
    assert os.listdir(tmp_path / "new") == ["deep"] and os.listdir(tmp_path / "new" / "deep") == []


def test_full_disk_is_noticed_before_it_is_written(tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    check_room(tmp_path, 1000)
    for total, refused in ((10**9, True), (0, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, total=total: usage(total, total, 0))
        if refused:
            with pytest.raises(RunError, match=r"needs 2.0 MB, and its disk has 0.0 MB free"):
                check_room(tmp_path, 2_000_000)
        else:
            check_room(tmp_path, 2_000_000)
