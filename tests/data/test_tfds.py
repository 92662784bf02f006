"""Test sources from TensorFlow Datasets."""

import dataclasses
import errno
import functools
import io
import pathlib
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from glow_tf.config import DataConfig
from glow_tf.data import open_source, tfds_source
from glow_tf.data.tfds_builder import is_prepared
from glow_tf.errors import DataError
from helpers.commands import ROOT
from helpers.source_cases import SHAPE, arrays, color_images, encoded, message_that_stops, read_all, rows_of_splits
from helpers.uploads import encode_image

NAMED = {
    "mnist": ((28, 28, 1), 10, ""),
    "fashion_mnist": ((28, 28, 1), 10, ""),
    "cifar10": ((32, 32, 3), 10, ""),
    "svhn_cropped": ((32, 32, 3), 10, ""),
    "downsampled_imagenet/32x32": ((32, 32, 3), 0, "oord"),
    "downsampled_imagenet/64x64": ((64, 64, 3), 0, "oord"),
    "imagenet_resized/32x32": ((32, 32, 3), 1000, "box"),
    "celeb_a_hq/256": ((256, 256, 3), 0, ""),
    "oxford_flowers102": ((64, 64, 3), 102, ""),
}


@pytest.mark.parametrize("name", NAMED)
def test_tfds_data_sets_give_images_and_labels(name, monkeypatch):
    shape, classes, variant = NAMED[name]
    with tfds.testing.mock_data(num_examples=24):
        config = DataConfig(f"tfds:{name}", fit="resize")
        source = open_source(config, shape)
        assert source.classes == classes and source.variant == variant
        rows = rows_of_splits(source, limit=2)
        images, labels, _ = arrays(source, "test", config, shape, rows=rows)
        assert images.shape == (len(rows), *shape) and (labels < max(classes, 1)).all()


class TinyColors(tfds.core.GeneratorBasedBuilder):
    """Hold twenty records, of which one is not an image."""

    __module__ = "tiny_colors"  # for the class of a package TFDS needs the package importlib_resources
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = pathlib.Path(__file__).parent

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=SHAPE)})
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples(), "test": self._generate_examples()}

    def _generate_examples(self):
        for i, image in enumerate(color_images(20)):
            yield i, {"image": io.BytesIO(b"no picture" if i == 3 else encoded(image, "png"))}


@pytest.mark.parametrize("damaged", ["image", "file"])
def test_a_damaged_tfds_record_is_named_and_skipped_or_stops_the_run(damaged, tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.setattr(tfds, "builder", functools.partial(tfds.builder, data_dir=tmp_path))
    builder = tfds.builder(TinyColors.name, file_format="array_record")
    assert not is_prepared(TinyColors.name)
    builder.download_and_prepare()
    assert is_prepared(TinyColors.name)
    if damaged == "file":
        path = next(pathlib.Path(builder.data_dir).glob("*train.array_record*"))
        path.write_bytes(path.read_bytes().replace(b"no picture", b"no-picture"))
    config = DataConfig("tfds:tiny_colors", on_damaged="skip")
    capsys.readouterr()
    assert read_all(config) == 19
    name = r"tfds:tiny_colors, train record \d+ cannot be read( as an image)?: "
    why = "cannot identify image file" if damaged == "image" else "Corrupted"
    assert re.search(f"left out: {name}.*{why}", caplog.text)
    assert re.search(name + f".*{why}", message_that_stops(capsys, dataclasses.replace(config, on_damaged="stop")))


class TinyFiles(tfds.core.GeneratorBasedBuilder):
    """Hold the image files that a test gives, which are declared to have some number of channels."""

    __module__ = "tiny_files"
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = pathlib.Path(__file__).parent
    files: tuple[bytes, ...] = ()
    channels = 3

    def _info(self):
        features = {"image": tfds.features.Image(shape=(None, None, self.channels))}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i, data in enumerate(self.files):
            yield i, {"image": io.BytesIO(data)}


LEVELS = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
GRAY = Image.fromarray(LEVELS)
PALETTE = Image.fromarray(63 - LEVELS // 4)
PALETTE.putpalette(np.repeat(LEVELS.ravel()[::-1], 3).tobytes())
FILES = {
    "palette": (encode_image(PALETTE), 3, 0),
    "palette of grays": (encode_image(PALETTE), 1, 0),
    "CMYK": (encode_image(GRAY.convert("CMYK"), "JPEG", quality=100), 3, 4),
    "16 bits": (encode_image(LEVELS.astype(np.uint16) * 256 + 99), 3, 0),
    "alpha": (encode_image(GRAY.convert("RGBA")), 4, 0),
}
"""Files of one gray image, with the channels that are declared and the largest error in levels."""


@pytest.mark.parametrize("kind", FILES)
def test_image_files_of_tfds_are_decoded_as_those_of_folders(kind, tmp_path, monkeypatch):
    """TFDS itself leaves the numbers of a palette, four channels of CMYK and the lower 8 of 16 bits."""
    data, channels, error = FILES[kind]
    monkeypatch.setattr(tfds, "builder", functools.partial(tfds.builder, data_dir=tmp_path))
    monkeypatch.setattr(TinyFiles, "files", (data,) * 4)
    monkeypatch.setattr(TinyFiles, "channels", channels)
    image = open_source(DataConfig("tfds:tiny_files"), SHAPE).image(0)
    assert image.shape == (8, 8, 1 if kind in ("palette of grays", "16 bits") else channels)
    assert np.abs(image[..., :3].astype(int) - LEVELS[..., None]).max() <= error


def test_data_set_that_is_prepared_as_tfrecords_is_named_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds, "builder", functools.partial(tfds.builder, data_dir=tmp_path))
    tfds.builder(TinyColors.name).download_and_prepare()
    message = rf"tiny_colors\S* is prepared in {tmp_path}\S* as tfrecord, expected array_record, .*TFDS_DATA_DIR"
    for name in ("tiny_colors", "tiny_colors:1.0.0"):
        with pytest.raises(DataError, match=message):
            open_source(DataConfig(f"tfds:{name}"), SHAPE)


def test_unavailable_tfds_data_sets_are_rejected(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def offline(*args, **kwargs):
        raise OSError("no network here")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", offline)
    with pytest.raises(DataError, match=r"could not be prepared in .*cifar10.* prepare it where there is a network"):
        open_source(DataConfig("tfds:cifar10"), (32, 32, 3))
    with pytest.raises(DataError, match="give the source folder:PATH"):
        open_source(DataConfig("tfds:downsampled_imagenet/32x32"), (32, 32, 3))
    with pytest.raises(DataError, match="TFDS has no such data set"):
        open_source(DataConfig("tfds:no_such_thing"), (32, 32, 3))
    assert not is_prepared("cifar10") and not is_prepared("no_such_thing")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            ModuleNotFoundError("No module named 'a_b.c'", name="a_b.c"),
            r"\(No module named 'a_b.c'\); .*pip install a_b\.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            r"No space left .* free some space there, or .*TFDS_DATA_DIR",
        ),
        (OSError(errno.EROFS, "Read-only file system"), "name another folder by the environment variable"),
        (OSError("no network here"), "prepare it where there is a network"),
        (AssertionError(), r"\(AssertionError\); prepare it where there is a network"),
    ],
)
def test_advice_follows_the_error_of_the_preparation(error, advice, tmp_path, monkeypatch):
    def fail(*args):
        raise error

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(DataError, match=advice) as raised:
        open_source(DataConfig("tfds:cifar10"), (32, 32, 3))
    assert ("network" in str(raised.value)) == ("network" in advice)


def test_every_package_that_tfds_needs_is_required():
    """TFDS imports it to prepare any data set, and does not require it itself."""
    for name in ("pyproject.toml", "requirements.txt"):
        assert "importlib_resources>=" in (ROOT / name).read_text(), name


def test_labels_that_are_no_classes_are_refused_if_they_are_asked_for():
    features = tfds.features.FeaturesDict({"label": tfds.features.Scalar(np.int64)})
    assert tfds_source._class_label(features, DataConfig("tfds:x")) is None
    with pytest.raises(DataError, match="labels are wanted; expected a ClassLabel as feature label, got Scalar"):
        tfds_source._class_label(features, DataConfig("tfds:x", labels=True))


def test_held_out_images_of_tfds_are_recorded():
    with tfds.testing.mock_data(num_examples=24):
        config = DataConfig("tfds:celeb_a_hq/256")
        record = open_source(config, (256, 256, 3)).split_record
        assert record.rule == "position" and record.images == 24
        open_source(dataclasses.replace(config, split_record=record), (256, 256, 3))
    with tfds.testing.mock_data(num_examples=25):
        with pytest.raises(DataError, match="24 images to split and there are 25 images now"):
            open_source(dataclasses.replace(config, split_record=record), (256, 256, 3))
