"""`tfds:NAME`: any image data set of TensorFlow Datasets.

The builder is prepared as array records, which can be read by index. Two data sets are both called "ImageNet 32":
`downsampled_imagenet` ("oord", the one of the paper) and `imagenet_resized` ("box", easier): they are never mixed, and
`Source.variant` tells which one it is.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from glow_tf.config import DataConfig
from glow_tf.data.files import DamagedRecordError, LoadedRecord, RecordSource
from glow_tf.data.hold_out import digest
from glow_tf.data.image_files import NamedBytes, read_image
from glow_tf.data.images import shape_check
from glow_tf.data.splits import consecutive_rows, draw_splits
from glow_tf.data.tfds_builder import SPLITS, prepare_data_sources
from glow_tf.errors import DataError
from glow_tf.io import describe_error, stamp
from glow_tf.types import ImageShape

VARIANTS = {"downsampled_imagenet": "oord", "imagenet_resized": "box"}


def open_tfds(where: str, config: DataConfig, image_shape: ImageShape) -> RecordSource:
    """Open a data set of TensorFlow Datasets, with its labels and attributes."""
    name = where.split("/")[0].split(":")[0]
    info, data_sources = prepare_data_sources(where, name, config.source)
    features = info.features
    if "image" not in features:
        raise DataError(f"{config.source}: expected a feature image, it has {', '.join(features)}.")
    label = _class_label(features, config)
    attribute_names = tuple(features["attributes"]) if "attributes" in features else ()
    records = [(split, i) for split in SPLITS if split in data_sources for i in range(len(data_sources[split]))]
    sizes = {split: len(data_sources[split]) for split in data_sources}
    # Of CelebA-HQ's single split of 30,000 images the original tests on 3,000. The full name holds the version, which
    # TFDS changes with the images.
    rows, split_record = draw_splits(
        _split_rows(sizes, config.source), config, test=0.1, fingerprint=lambda: digest(info.full_name, repr(sizes))
    )

    def load(row: int) -> LoadedRecord:
        split, i = records[row]
        record_name = f"{config.source}, {split} record {i}"
        try:
            record = data_sources[split][i]
        except Exception as error:  # the type depends on the damage: to the file, the record or the image
            raise DamagedRecordError(f"{record_name} cannot be read: {describe_error(error)}") from error
        image = record["image"]
        image = _decode(image, features["image"], record_name) if isinstance(image, bytes) else np.asarray(image)
        attributes = [2 * int(record["attributes"][a]) - 1 for a in attribute_names] if attribute_names else None
        return image, int(record["label"]) if label is not None else None, attributes

    return RecordSource(
        config.source,
        rows,
        load,
        check=shape_check(image_shape, config),
        split_record=split_record,
        class_names=() if label is None else tuple(label.names),
        attribute_names=attribute_names,
        variant=VARIANTS.get(name, ""),
        on_damaged=config.on_damaged,
        labels=config.labels,
        contents=lambda: digest(info.full_name, *(f"{path}{stamp(path)}" for path in _files(info))),
    )


def _decode(data: bytes, feature: Any, record_name: str) -> np.ndarray:
    """Return the image of a file, uint8 `[h, w, c]` or `[h, w]`; gray if the feature declares that."""
    image = read_image(NamedBytes(data, record_name))
    if feature.shape[-1] == 1 and image.shape[-1] == 3:  # such as a palette of grays
        return np.asarray(Image.fromarray(image).convert("L"))
    return image


def _files(info: Any) -> list[pathlib.Path]:
    """Return the files of a prepared data set."""
    return sorted(pathlib.Path(info.data_dir).iterdir())


def _class_label(features: Mapping[str, Any], config: DataConfig) -> Any:
    """Return the feature of the classes, or None; raise a `DataError` if labels are requested and are another."""
    import tensorflow_datasets as tfds

    label = dict(features).get("label")
    if isinstance(label, tfds.features.ClassLabel):
        return label
    if config.labels:
        raise DataError(f"{config.source}: labels are wanted; expected a ClassLabel as feature label, got {label!r}.")
    return None


def _split_rows(sizes: Mapping[str, int], source_name: str) -> dict[str, np.ndarray]:
    """Return the rows of each split; the only one besides the training split is the test split."""
    rows = consecutive_rows({split: sizes.get(split, 0) for split in SPLITS})
    if not len(rows["train"]):
        raise DataError(f"{source_name}: expected a split train, it has {', '.join(sizes)}.")
    if not len(rows["test"]):
        rows["test"] = rows.pop("validation")
    return rows
