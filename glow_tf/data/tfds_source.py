"""`tfds:NAME`: any image data set of TensorFlow Datasets.

The builder is prepared as array records, which can be read by index. Two data sets are both called "ImageNet 32":
`downsampled_imagenet` ("oord", the one of the paper) and `imagenet_resized` ("box", easier): they are never mixed, and
`Source.variant` tells which one it is.
"""

import errno
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glow_tf.config import DataConfig
from glow_tf.data.files import DamagedRecordError, LoadedRecord, RecordSource
from glow_tf.data.hold_out import digest
from glow_tf.data.images import shape_check
from glow_tf.data.splits import consecutive_rows, draw_splits
from glow_tf.errors import DataError
from glow_tf.io import describe_error, stamp
from glow_tf.types import ImageShape

SPLITS = ("train", "validation", "test")

VARIANTS = {"downsampled_imagenet": "oord", "imagenet_resized": "box"}

ADVICE = {
    "downsampled_imagenet": "its official address is gone: put the PNG files of your copy in folders train/ and "
    "validation/ and give the source folder:PATH",
    "celeb_a_hq": "it is made by hand: put data256x256.tar into the manual_dir that TFDS names, or the images into a "
    "folder and give the source folder:PATH",
    "lsun": "its reader does not load with this TensorFlow: give the source lsun-lmdb:PATH or folder:PATH",
}
"""What to do if a data set cannot be prepared, by its name."""


CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
"""Numbers of the errors of a disk that is full or protected."""


def open_tfds(where: str, config: DataConfig, image_shape: ImageShape) -> RecordSource:
    """Open a data set of TensorFlow Datasets, with its labels and attributes."""
    name = where.split("/")[0].split(":")[0]
    info, data_sources = _prepare(where, name, config.source)
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
        try:
            record = data_sources[split][i]
        except Exception as error:  # the type depends on the damage: to the file, the record or the image
            reason = describe_error(error)
            raise DamagedRecordError(f"{config.source}, {split} record {i} cannot be read: {reason}") from error
        attributes = [2 * int(record["attributes"][a]) - 1 for a in attribute_names] if attribute_names else None
        return np.asarray(record["image"]), int(record["label"]) if label is not None else None, attributes

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


def _prepare(where: str, name: str, source_name: str) -> tuple[Any, dict[str, Sequence[Mapping[str, Any]]]]:
    """Download and prepare a data set; return its `DatasetInfo` and the records of each split."""
    import tensorflow_datasets as tfds

    try:
        # `Any`: TFDS annotates neither the features of a data set nor the options of its data sources.
        builder: Any = tfds.builder(where, file_format="array_record")
    except Exception as error:  # TFDS raises many types for an unknown name or configuration
        raise DataError(f"{source_name}: TFDS has no such data set: {describe_error(error)}.") from error
    try:
        builder.download_and_prepare()
        splits = [s for s in SPLITS if s in builder.info.splits] or ["train"]
        data_sources = {split: builder.as_data_source(split=split) for split in splits}
    except Exception as error:  # and for a download, a checksum or a manual step that fails
        raise DataError(
            f"{source_name} could not be prepared in {builder.data_dir} ({describe_error(error)}); "
            f"{_advice(name, error)}."
        ) from error
    return builder.info, data_sources


def _files(info: Any) -> list[pathlib.Path]:
    """Return the files of a prepared data set."""
    return sorted(pathlib.Path(info.data_dir).iterdir())


def _advice(name: str, error: Exception) -> str:
    """Return what to do about an error of the preparation of a data set."""
    if name in ADVICE:
        return ADVICE[name]
    if isinstance(error, ImportError):
        return f"install the package that is missing: pip install {(error.name or 'it').partition('.')[0]}"
    if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
        return "free some space there, or name another folder by the environment variable TFDS_DATA_DIR"
    return "prepare it where there is a network, and copy it to the same place here"


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
