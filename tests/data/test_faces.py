"""Test the drawn faces: their pixels, their attributes, the cache, and classes made of attributes."""

import importlib.metadata
import logging
import pathlib
import tomllib
import types

import numpy as np
import pytest

from glow_tf.cache import SWITCH
from glow_tf.config import DataConfig
from glow_tf.data import face_drawings, faces, open_source
from glow_tf.data.attribute_classes import combination
from glow_tf.data.hold_out import digest
from glow_tf.errors import ConfigError, DataError, RunError
from glow_tf.evaluation.trained_model import EvaluationContext
from helpers.commands import ROOT
from helpers.source_cases import arrays, rows_of_splits

SHAPE = (32, 32, 3)
NAMES = tuple(face_drawings.ATTRIBUTES)


@pytest.fixture
def few_faces(tmp_path, monkeypatch):
    """Make the source of 48 faces of noise in a cache of its own; give the list of the counts that were drawn."""
    drawn = []

    def draw(count):
        drawn.append(count)
        return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8)

    monkeypatch.setattr(faces, "COUNTS", {"train": 40, "test": 8})
    monkeypatch.setattr(faces, "draw", draw)
    monkeypatch.setenv(SWITCH, str(tmp_path / "cache"))
    return drawn


@pytest.mark.slow
def test_faces_are_the_same_bytes_from_one_process_or_several():
    paint, features = face_drawings.Painter(), face_drawings.list_features(5)
    images = np.stack([paint(face) for face in features])
    np.testing.assert_array_equal(faces.draw(5), images)
    versions = [f"{package} {importlib.metadata.version(package)}" for package in faces.PACKAGES]
    assert digest(images) == "019288ecf572e00296387eb4974bbeae", f"drawn by {versions}; requirements.txt has others?"
    assert digest(faces.halved(images)) == "3646d29c3e70d1528705669e3945d1fc"


def test_packages_that_draw_are_required():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["faces"][1:] == [f"{package}{specifier}" for package, specifier in faces.PACKAGES.items()]
    assert all(f"\n{package}==" in (ROOT / "requirements.txt").read_text() for package in faces.PACKAGES)


def test_credits_are_those_of_the_style():
    meta = face_drawings.Painter().style.meta()
    author, source, terms = meta.creator(), meta.source(), meta.license()
    for text in (author.name(), source.name(), source.url(), terms.name(), terms.url()):
        assert text in face_drawings.CREDITS


def test_no_two_faces_are_alike_and_their_features_are_independent():
    features = face_drawings.list_features(11_000)
    assert len({tuple(face.values()) for face in features}) == 11_000
    tags = face_drawings.attributes_of(features)
    shares = dict(zip(NAMES, tags.mean(0), strict=True))
    assert abs(shares["smiling"] - 0.4) < 0.03 and abs(shares["beard"] - 0.25) < 0.03
    correlations = np.corrcoef(tags.T)
    for i, first in enumerate(NAMES):
        for j, second in enumerate(NAMES):
            if face_drawings.ATTRIBUTES[first][0] != face_drawings.ATTRIBUTES[second][0]:
                assert abs(correlations[i, j]) < 0.05, (first, second)


def test_faces_are_drawn_once_for_both_sizes_and_again_if_the_file_is_damaged(few_faces, tmp_path, caplog):
    caplog.set_level(logging.INFO, "glow_tf")
    config = DataConfig("bundled:faces", validation=0.1)
    small, large = open_source(config, SHAPE), open_source(config, (64, 64, 3))
    assert few_faces == [48]
    (message,) = caplog.messages
    assert message.startswith(f"48 faces are drawn once and kept in {tmp_path / 'cache'}. Faces drawn by DiceBear")
    assert small.images.shape == (48, *SHAPE) and large.images.shape == (48, 64, 64, 3)
    block = large.images[3, 10:12, 20:22].astype(float).mean((0, 1))
    assert np.abs(small.images[3, 5, 10] - block).max() <= 0.5
    assert {split: small.size(split) for split in small.rows} == {"train": 36, "test": 8, "validation": 4}
    model = types.SimpleNamespace(image_shape=SHAPE, config=types.SimpleNamespace(classes=0))
    context = EvaluationContext(tmp_path, config, None, tmp_path, file_model=model)
    assert context.source.credits == small.credits == face_drawings.CREDITS
    assert caplog.messages[1:] == [face_drawings.CREDITS], "an evaluation names them as well"
    (path,) = (tmp_path / "cache").glob("faces*.npz")
    path.write_bytes(path.read_bytes()[:-5000])
    (path.parent / f".{2**31 - 1}.{path.name}").write_bytes(b"half of it, by a process that was killed")
    np.testing.assert_array_equal(open_source(config, SHAPE).images, small.images)
    assert few_faces == [48, 48] and [p.name for p in path.parent.iterdir()] == [path.name]


def test_attributes_of_faces_are_aligned_with_every_split_and_make_classes(few_faces):
    source = open_source(DataConfig("bundled:faces"), SHAPE)
    tags = face_drawings.attributes_of(face_drawings.list_features(48))
    names = ("smiling", "dark hair")
    config = DataConfig("bundled:faces", labels=True, class_attributes=names)
    classes = open_source(config, SHAPE)
    assert classes.class_names == ("no smiling or dark hair", "smiling", "dark hair", "smiling + dark hair")
    assert combination(("bun",), 0) == "no bun" and classes.split_record == source.split_record
    columns = [NAMES.index(name) for name in names]
    rows = rows_of_splits(source)
    images, labels, attributes = arrays(classes, "test", config, SHAPE, rows=rows)
    np.testing.assert_array_equal(images, source.images[rows])
    np.testing.assert_array_equal(attributes, np.where(tags[rows], 1, -1))
    np.testing.assert_array_equal(labels, tags[rows][:, columns] @ [1, 2])


def test_classes_of_attributes_that_are_not_there_are_refused(few_faces):
    def opened(source, *names, shape=SHAPE):
        return open_source(DataConfig(source, labels=True, class_attributes=names), shape)

    with pytest.raises(DataError, match="expected some of smiling, .*; got 'smile'. Did you mean smiling"):
        opened("bundled:faces", "smile")
    with pytest.raises(DataError, match="digits has no attributes, and the classes are made of smiling; give"):
        opened("bundled:digits", "smiling", shape=(8, 8, 1))
    with pytest.raises(DataError, match=r"it has none; give a source with labels, or make .* \(--class-attributes\)"):
        open_source(DataConfig("bundled:faces", labels=True), SHAPE)
    with pytest.raises(ConfigError, match="class_attributes: .* set labels=True as well"):
        DataConfig("bundled:faces", class_attributes=("bun",))
    with pytest.raises(ConfigError, match="class_attributes: expected at most 10 names that differ, got bun, bun"):
        opened("bundled:faces", "bun", "bun")


def test_what_the_drawing_lacks_is_one_sentence(few_faces, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(SWITCH, str(tmp_path / "file"))
    with pytest.raises(RunError, match=f"cannot write .*file: .* {SWITCH} in the environment names another folder"):
        open_source(DataConfig("bundled:faces"), SHAPE)
    monkeypatch.setattr(faces, "PACKAGES", {"numpy": ">=2", "no-such-drawer": ">=1,<2"})
    with pytest.raises(DataError, match="needs packages that are missing: pip install 'no-such-drawer>=1,<2'$"):
        open_source(DataConfig("bundled:faces"), SHAPE)


def test_cache_folder_that_may_not_be_read_is_one_sentence(few_faces, monkeypatch):
    def forbidden(path, *args, **options):
        raise PermissionError(13, "Permission denied", str(path))

    for name in ("is_file", "mkdir"):
        monkeypatch.setattr(pathlib.Path, name, forbidden)
    with pytest.raises(RunError, match=f"cannot write .*cache: Permission denied.* {SWITCH} in the environment names"):
        open_source(DataConfig("bundled:faces"), SHAPE)


def test_process_that_cannot_draw_is_one_sentence(monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("raise RuntimeError('no ink.')")
    monkeypatch.setattr(face_drawings, "__file__", str(program))
    with pytest.raises(DataError, match="bundled:faces cannot be drawn: RuntimeError: no ink."):
        faces.draw(3)
