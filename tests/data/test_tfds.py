"""Test sources from TensorFlow Datasets."""

import dataclasses
import functools
import io
import pathlib
import re

import pytest
import tensorflow_datasets as tfds

from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, arrays, color_images, encoded, message_that_stops, read_all

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
        for split in ("train", "validation", "test"):
            images, labels, _ = arrays(source, split, config, shape, 2)
            assert images.shape[1:] == shape and (labels < max(classes, 1)).all()


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
def test_a_damaged_tfds_record_is_named_and_skipped_or_stops_the_run(damaged, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tfds, "builder", functools.partial(tfds.builder, data_dir=tmp_path))
    builder = tfds.builder(TinyColors.name, file_format="array_record")
    builder.download_and_prepare()
    if damaged == "file":
        path = next(pathlib.Path(builder.data_dir).glob("*train.array_record*"))
        path.write_bytes(path.read_bytes().replace(b"no picture", b"no-picture"))
    config = DataConfig("tfds:tiny_colors", on_damaged="skip")
    capsys.readouterr()
    assert read_all(config) == 19
    name = r"tfds:tiny_colors, train record \d+ cannot be read: "
    why = "cannot identify image file" if damaged == "image" else "Corrupted"
    assert re.search(f"left out: {name}.*{why}", capsys.readouterr().err)
    assert re.search(name + f".*{why}", message_that_stops(capsys, dataclasses.replace(config, on_damaged="stop")))


def test_unavailable_tfds_data_sets_are_rejected(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def offline(*args, **kwargs):
        raise OSError("no network here")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", offline)
    with pytest.raises(DataError, match=r"could not be prepared in .*cifar10.* prepare it where there is a network"):
        open_source(DataConfig("tfds:cifar10"), (32, 32, 3))
    with pytest.raises(DataError, match=r"--source folder:PATH"):
        open_source(DataConfig("tfds:downsampled_imagenet/32x32"), (32, 32, 3))
    with pytest.raises(DataError, match="TFDS has no such data set"):
        open_source(DataConfig("tfds:no_such_thing"), (32, 32, 3))
