"""Images: sources, and the one pipeline over them."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Literal

from glow_tf.config import NO_SOURCE, DataConfig
from glow_tf.data.arrays import open_npy, open_npz
from glow_tf.data.attribute_classes import AttributeClasses
from glow_tf.data.bundled import open_bundled
from glow_tf.data.cache import cached
from glow_tf.data.files import RecordSource
from glow_tf.data.folder import open_folder
from glow_tf.data.labels import check_class_names
from glow_tf.data.lsun import open_lsun
from glow_tf.data.source import Source
from glow_tf.data.tfds_source import open_tfds
from glow_tf.data.tfrecord import open_tfrecord
from glow_tf.errors import DataError
from glow_tf.extras import optional_packages
from glow_tf.types import ImageShape

OPENERS: dict[str, Callable[[str, DataConfig, ImageShape], Source]] = {
    "bundled": open_bundled,
    "tfds": open_tfds,
    "folder": open_folder,
    "npz": open_npz,
    "npy": open_npy,
    "tfrecord": open_tfrecord,
    "lsun-lmdb": open_lsun,
}
"""Functions `(where, config, image_shape) -> Source`, one for each of `config.SOURCE_KINDS`."""

__all__ = ["OPENERS", "DataError", "Source", "open_source"]


def open_source(
    config: DataConfig,
    image_shape: ImageShape,
    *,
    cache: Literal["off", "auto"] = "off",
    cache_dir: pathlib.Path | str | None = None,
) -> Source:
    """Open the source of images that a configuration names.

    Args:
        config: the source, and how its images are fitted and split.
        image_shape: the shape that the pipeline fits the images to.
        cache: `"off"`, or `"auto"`: each record is decoded once and kept, in memory or in files, as in `train.py`.
        cache_dir: folder of the caches on disk; None: the default of `RunOptions.cache_dir`.

    Returns:
        The source, with the rows of the three splits.

    Raises:
        DataError: the source cannot be used, or its classes are not those that a run has recorded.

    Example:
        >>> source = open_source(DataConfig("bundled:digits", labels=True), (8, 8, 1))
        >>> source.size("train"), source.size("validation"), source.size("test"), source.classes
        (1422, 75, 300, 10)
    """
    if config.class_attributes:
        source = _open(dataclasses.replace(config, labels=False, class_attributes=()), image_shape)
    else:
        source = _open(config, image_shape)
        _check_labels(source, config)
    if cache == "auto" and isinstance(source, RecordSource):
        source = cached(source, config, image_shape, cache_dir)
    return AttributeClasses(source, config.class_attributes) if config.class_attributes else source


def _open(config: DataConfig, image_shape: ImageShape) -> Source:
    kind, _, where = config.source.partition(":")
    if config.source == NO_SOURCE:
        raise DataError(
            "this run was imported without images: give --data to evaluate it; import it again with --data to train it."
        )
    with optional_packages():
        return OPENERS[kind](where, config, image_shape)


def _check_labels(source: Source, config: DataConfig) -> None:
    """Raise a `DataError` if labels are asked for and there are none, or not those of the run; record their names."""
    if config.labels and not source.classes:
        advice = (
            ", or make classes of its attributes by class_attributes (--class-attributes)"
            if source.attribute_names
            else ""
        )
        raise DataError(f"{config.source}: labels are wanted, and it has none; give a source with labels{advice}.")
    if config.labels and source.split_record is not None:
        check_class_names(source.class_names, config.split_record and config.split_record.classes, config.source)
        source.split_record = dataclasses.replace(source.split_record, classes=source.class_names)
