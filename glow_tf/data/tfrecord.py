"""`tfrecord:PATH`: the original's TFRecords, `PATH/<split>/<split>-r%02d-s-%04d-of-%04d.tfrecords`.

`r` is log2 of the resolution; of several, the smallest that holds the model's images is taken. Features: `shape`,
`data` (raw uint8, row by row), `label`, and `attr` (CelebA's 40 tags as -1 or 1), where there are any.
"""

import itertools
import pathlib
import re
import struct

import numpy as np
import tensorflow as tf

from glow_tf.data.files import DamagedRecord, RecordSource
from glow_tf.data.source import DataError, complete_splits

NAME = re.compile(r"(?P<split>train|validation|test)-r(?P<r>\d+)-s-(?P<s>\d{4})-of-(?P<of>\d{4})\.tfrecords")

ATTRIBUTES = tuple(
    """5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair
    Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male
    Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks
    Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace
    Wearing_Necktie Young""".split()
)
"""The 40 tags of CelebA, in the order of `attr`."""


def open_tfrecord(where, config, image_shape):
    root = pathlib.Path(where).expanduser()
    places, rows = [], {}
    for split in ("train", "validation", "test"):
        found = [
            (path, offset, length)
            for path in _files(root, split, max(image_shape[:2]))
            for offset, length in _records(path)
        ]
        rows[split] = np.arange(len(places), len(places) + len(found))
        places += found
    if not len(rows["train"]):
        raise DataError(
            f"{config.source}: expected {root}/train/train-rNN-s-NNNN-of-NNNN.tfrecords, as the original's exporter "
            "writes them; found none."
        )
    if len(rows["validation"]) and not len(rows["test"]):
        rows["test"] = rows.pop("validation")  # what the original calls validation is its test set

    # A damaged record is left to the source, which knows what is to be done about it.
    readable = (f for row in rows["train"] if (f := _features_or_none(places[row])) is not None)
    first = next(readable, None)
    if first is None:
        raise DataError(f"{config.source}: none of the {len(rows['train'])} training records can be read.")
    classes = 1 + max(map(_label, itertools.chain([first], readable))) if config.labels else 0
    return RecordSource(
        config.source,
        complete_splits(rows, config),
        lambda row: _decode(places[row]),
        class_names=tuple(map(str, range(classes))),
        attribute_names=() if _attributes(first) is None else ATTRIBUTES,
        on_damaged=config.on_damaged,
    )


def _files(root, split, size):
    """The files of a split at the smallest resolution of at least `size`; as many as their names promise."""
    found = {}
    for path in sorted((root / split).glob("*.tfrecords")):
        match = NAME.fullmatch(path.name)
        if match and match["split"] == split:
            found.setdefault(int(match["r"]), []).append((int(match["of"]), path))
    if not found:
        return []
    fitting = [r for r in found if 2**r >= size]
    files = found[min(fitting) if fitting else max(found)]
    promised = files[0][0]
    if len(files) != promised:
        raise DataError(
            f"{root / split}: the names promise {promised} files, there are {len(files)}; some are missing."
        )
    return [path for _, path in files]


def _records(path):
    """`(offset, length)` of the data of each record; only headers are read.

    A record is its length (8 bytes), a checksum of it (4), the data, a checksum of the data (4).
    """
    found, end = [], path.stat().st_size
    with open(path, "rb") as file:
        offset = 0
        while offset < end:
            file.seek(offset)
            header = file.read(12)
            length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else end
            if offset + 16 + length > end:
                raise DataError(f"{path} is cut off in record {len(found)}; copy it again.")
            found.append((offset + 12, length))
            offset += 16 + length
    return found


def _features(place):
    """The features of the record at `(path, offset, length)`, its image still as bytes."""
    path, offset, length = place
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(length)
    try:
        return tf.train.Example.FromString(data).features.feature
    except Exception as error:  # the parser's DecodeError is not public
        raise _damaged(place, error) from error


def _features_or_none(place):
    try:
        return _features(place)
    except DamagedRecord:
        return None


def _decode(place):
    feature = _features(place)
    try:
        shape = tuple(feature["shape"].int64_list.value)
        image = np.frombuffer(feature["data"].bytes_list.value[0], np.uint8).reshape(shape)
    except (IndexError, ValueError) as error:
        raise _damaged(place, error) from error
    return image, _label(feature), _attributes(feature)


def _label(feature):
    return int(next(iter(feature["label"].int64_list.value), 0))


def _attributes(feature):
    """CelebA's tags, int32 `[40]`, or None."""
    values = np.array(feature["attr"].int64_list.value, np.int32)
    return values if len(values) == len(ATTRIBUTES) else None


def _damaged(place, error):
    path, offset, _ = place
    return DamagedRecord(f"{path}, the record at byte {offset} cannot be read: {error}")
