"""Test where an export is written, what it replaces and leaves behind, and that the example client can use it."""

import functools
import pathlib
import runpy

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import glow_tf.export
from glow_tf import Glow, deprecation, folders
from glow_tf.cli.export import main
from glow_tf.config import ModelConfig
from glow_tf.errors import RunError
from glow_tf.export import export_model
from helpers.commands import ROOT
from helpers.damage import run_until_killed


@pytest.fixture(scope="module")
def smallest_glow():
    """Make the smallest Glow, whose export takes the least time."""
    return Glow(ModelConfig(image_shape=(2, 2, 1), levels=1, depth=1, width=1))


@pytest.mark.slow
def test_export_into_the_current_folder_is_refused(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved_model.pb").write_text("of an earlier export")
    for path in (".", "..", tmp_path):
        with pytest.raises(RunError, match="is the current folder, or lies above it"):
            export_model(smallest_glow, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["saved_model.pb"]


def write_nothing(module, path, **_):
    """Stand for `tf.saved_model.save`."""
    pathlib.Path(path).mkdir()
    (pathlib.Path(path) / "saved_model.pb").write_text("new")


def test_export_overwrites_only_a_saved_model_and_only_on_demand(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", write_nothing)
    user_file = tmp_path / "folder" / "notes.txt"
    user_file.parent.mkdir()
    user_file.write_text("notes")
    for path in (user_file, user_file.parent):
        with pytest.raises(RunError, match="is no SavedModel"):
            export_model(smallest_glow, path, overwrite=True)
    assert user_file.read_text() == "notes"
    saved = tmp_path / "saved"
    export_model(smallest_glow, saved)
    (saved / "old.txt").write_text("old")
    with pytest.raises(RunError, match="exists already"):
        export_model(smallest_glow, saved)
    assert (saved / "old.txt").exists()
    export_model(smallest_glow, saved, overwrite=True)
    assert not (saved / "old.txt").exists() and tf.saved_model.contains_saved_model(str(saved))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "saved"]


def test_failed_export_leaves_no_files(smallest_glow, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        export_model(smallest_glow, tmp_path / "file" / "saved")

    def full(module, path, **_):
        pathlib.Path(path).mkdir()
        raise OSError("no space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(RunError, match="no space left on device"):
        export_model(smallest_glow, tmp_path / "saved")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_killed_replacement_of_an_export_leaves_a_whole_one_at_its_name(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", write_nothing)
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "saved_model.pb").write_text("old")
    export = functools.partial(export_model, smallest_glow, saved, overwrite=True)
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)  # as on a system that cannot exchange names
    for moment in (1, 2):
        run_until_killed(export, moment)
        folders.prepare_folder(saved)  # as the next export begins
        assert (saved / "saved_model.pb").read_text() == "old"
    export()
    assert (saved / "saved_model.pb").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]


def test_export_is_refused_where_tensorflow_could_not_read_it(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", lambda *_, **__: pytest.fail("written before the check"))
    with pytest.raises(RunError, match=r"has \[ in it, which TensorFlow takes for a pattern of names"):
        export_model(smallest_glow, tmp_path / "a[b]" / "saved")
    with pytest.raises(RunError, match="cannot write .*: File name too long"):
        export_model(smallest_glow, tmp_path / ("n" * 300) / "saved")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is the current folder, or lies above it"):
        export_model(smallest_glow, ".", overwrite=True)


@pytest.mark.slow
def test_export_of_a_keras_file_serves_the_example_client(smallest_glow, tmp_path, capsys):
    smallest_glow.save(tmp_path / "m.keras")
    main([str(tmp_path / "m.keras"), str(tmp_path / "saved")])
    with pytest.raises(RunError, match="one set of weights"):
        main([str(tmp_path / "m.keras"), str(tmp_path / "other"), "--ema"])
    image = np.random.default_rng(0).integers(0, 256, (2, 2), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    client = runpy.run_path(str(ROOT / "examples" / "serve_client.py"))
    client["main"]([str(tmp_path / "saved"), str(tmp_path / "out"), str(tmp_path / "a.png")])
    assert "bits/dim" in capsys.readouterr().out
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "1_a.png")), image)


def test_export_under_its_old_name_warns_and_works(monkeypatch):
    monkeypatch.setattr(deprecation, "_warned", set())
    with pytest.warns(DeprecationWarning, match=r"glow_tf\.export\.export is now glow_tf\.export\.export_model"):
        assert glow_tf.export.export is export_model


def test_export_command_accepts_the_old_name_of_ema_with_a_warning(smallest_glow, tmp_path):
    smallest_glow.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="--average is now --ema"), pytest.raises(RunError, match="one set of weights"):
        main([str(tmp_path / "m.keras"), str(tmp_path / "saved"), "--average"])
