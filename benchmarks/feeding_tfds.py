"""A data set of TensorFlow Datasets for `benchmarks.feeding`."""

import io
import pathlib

import tensorflow_datasets as tfds
from PIL import Image


class BenchmarkImages(tfds.core.GeneratorBasedBuilder):
    """Images of any size, in PNG."""

    __module__ = "benchmark_images"  # for the class of a package TFDS needs a description beside it
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = pathlib.Path(__file__).parent
    images = ()

    def _info(self):
        features = {"image": tfds.features.Image(shape=(None, None, 3), encoding_format="png")}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i, image in enumerate(self.images):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "png")
            yield i, {"image": io.BytesIO(file.getvalue())}


def prepare(images):
    """Write a data set of images into TFDS's folder."""
    BenchmarkImages.images = images
    tfds.builder(BenchmarkImages.name, file_format="array_record").download_and_prepare()
