"""`tfrecord:PATH`: the original's TFRecords, `PATH/<split>/<split>-r%02d-s-%04d-of-%04d.tfrecords`.

The features of a record are `shape`, `data` (raw uint8, row by row), `label` and, optionally, `attr` (CelebA's 40
attributes as -1 or 1).
"""

import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.lib.io.tf_record import tf_record_random_reader  # TensorFlow's only reader by position

from glow_tf.celeba import ATTRIBUTES
from glow_tf.config import DataConfig
from glow_tf.data.files import DamagedRecordError, LoadedRecord, RecordSource
from glow_tf.data.hold_out import digest
from glow_tf.data.images import shape_check
from glow_tf.data.labels import count_classes, warn_of_gaps
from glow_tf.data.splits import draw_splits
from glow_tf.data.tfrecord_files import FOOTER_LENGTH, HEADER_LENGTH, Location, list_records
from glow_tf.errors import DataError
from glow_tf.io import describe_error
from glow_tf.types import ImageShape

_file_numbers = itertools.count()


def open_tfrecord(where: str, config: DataConfig, image_shape: ImageShape) -> RecordSource:
    """Open the original's TFRecords, with CelebA's attributes and, if the configuration asks for them, labels."""
    root = pathlib.Path(where).expanduser()
    locations, rows = list_records(root, max(image_shape[:2]))
    if not len(rows["train"]):
        raise DataError(
            f"{config.source}: expected {root}/train/train-rNN-s-NNNN-of-NNNN.tfrecords, as the original's exporter "
            "writes them; found none."
        )
    if len(rows["validation"]) and not len(rows["test"]):
        rows["test"] = rows.pop("validation")  # what the original calls validation is its test set

    # Damaged records are skipped here: whether they stop the run is decided when the source reads them.
    first = next((f for row in rows["train"] if (f := _features_or_none(locations[row])) is not None), None)
    if first is None:
        raise DataError(f"{config.source}: none of the training records ({len(rows['train']):,}) can be read.")
    classes = _count_classes(locations, config.source) if config.labels else 0
    has_attributes = _attributes(first) is not None
    rows, split_record = draw_splits(
        rows, config, fingerprint=lambda: digest(*(location.checksum for location in locations))
    )
    return RecordSource(
        config.source,
        rows,
        lambda row: _decode(locations[row], config.labels, has_attributes),
        check=shape_check(image_shape, config),
        split_record=split_record,
        class_names=tuple(map(str, range(classes))),
        attribute_names=ATTRIBUTES if has_attributes else (),
        on_damaged=config.on_damaged,
        labels=config.labels,
        contents=lambda: digest(*(location.checksum for location in locations)),
    )


def _features(location: Location) -> Mapping[str, Any]:
    """Read the features of a record, with its image still as bytes, after its checksums were compared."""
    try:
        data = _checked_data(location)
    except tf.errors.DataLossError as error:
        raise _damaged(location, "its checksum is wrong") from error
    except (tf.errors.OpError, IndexError, OSError) as error:
        raise DataError(f"{location.path} cannot be read: {describe_error(error)}.") from error
    try:
        return tf.train.Example.FromString(data).features.feature
    except Exception as error:  # the parser's DecodeError is not public
        raise _damaged(location, error) from error


def _checked_data(location: Location) -> bytes:
    """Read the data of a record, and let TensorFlow compare its checksums.

    TensorFlow's reader reads 16 MB ahead of any position, so it gets a file of this record alone, in memory.
    """
    with open(location.path, "rb") as file:
        file.seek(location.offset - HEADER_LENGTH)
        record = file.read(HEADER_LENGTH + location.length + FOOTER_LENGTH)
    if len(record) < HEADER_LENGTH + location.length + FOOTER_LENGTH:
        raise _damaged(location, "the file ends before the record does; it was cut after its records were listed")
    # Another name for each, as a file in memory that exists is not replaced: what is written is appended to it.
    path = f"ram://glow_tf/record-{next(_file_numbers)}"
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(record)
    try:
        return tf_record_random_reader(path.encode()).read(0)[0]
    finally:
        tf.io.gfile.remove(path)


def _features_or_none(location: Location) -> Mapping[str, Any] | None:
    try:
        return _features(location)
    except DamagedRecordError:
        return None


def _decode(location: Location, labels: bool, has_attributes: bool) -> LoadedRecord:
    """Return the image, its label if labels are requested, and its attributes if the source has any."""
    feature = _features(location)
    try:
        shape = tuple(feature["shape"].int64_list.value)
        image = np.frombuffer(feature["data"].bytes_list.value[0], np.uint8).reshape(shape)
    except (IndexError, ValueError) as error:
        raise _damaged(location, error) from error
    attributes = _attributes(feature) if has_attributes else None
    if has_attributes and attributes is None:
        raise _damaged(location, f"it has no {len(ATTRIBUTES)} attributes of -1 or 1, as others have")
    return image, _label(location, feature) if labels else None, attributes


def _count_classes(locations: Sequence[Location], source_name: str) -> int:
    """Return the number of classes of all records that can be read."""
    features = ((location, _features_or_none(location)) for location in locations)
    labels = np.array([_label(location, feature) for location, feature in features if feature is not None], np.int64)
    classes = count_classes(labels, source_name)
    warn_of_gaps(labels, classes, source_name)
    return classes


def _label(location: Location, feature: Mapping[str, Any]) -> int:
    """Return the label of a record; raise a `DataError` unless it has exactly one."""
    values = feature["label"].int64_list.value if "label" in feature else ()
    if len(values) != 1:
        raise DataError(
            f"{location.path}, the record at byte {location.offset}: expected one integer as the label, got "
            f"{len(values) or 'none'}."
        )
    return int(values[0])


def _attributes(feature: Mapping[str, Any]) -> np.ndarray | None:
    """Return CelebA's attributes, int32 `[40]` in {-1, 1}, or None if there are none."""
    values = np.array(feature["attr"].int64_list.value, np.int64)
    return values.astype(np.int32) if len(values) == len(ATTRIBUTES) and np.all(np.abs(values) == 1) else None


def _damaged(location: Location, error: object) -> DamagedRecordError:
    return DamagedRecordError(f"{location.path}, the record at byte {location.offset} cannot be read: {error}")
