"""`tfrecord:PATH`: the original's TFRecords, `PATH/<split>/<split>-r%02d-s-%04d-of-%04d.tfrecords`.

`r` is log2 of the resolution; of several, the smallest that holds the model's images is taken. Features: `shape`,
`data` (raw uint8, row by row), `label`, and `attr` (CelebA's 40 tags as -1 or 1), where there are any.
"""

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

    def load(row):
        path, offset, length = places[row]
        return _decode(path, offset, length)

    first = load(0)
    labelled = config.labels
    classes = 1 + max(load(r)[1] for r in range(len(places))) if labelled else 0
    return RecordSource(
        config.source,
        complete_splits(rows, config),
        load,
        class_names=tuple(map(str, range(classes))),
        attribute_names=() if first[2] is None else ATTRIBUTES,
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


def _decode(path, offset, length):
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(length)
    try:
        feature = tf.train.Example.FromString(data).features.feature
        shape = tuple(feature["shape"].int64_list.value)
        image = np.frombuffer(feature["data"].bytes_list.value[0], np.uint8).reshape(shape)
        label = int(next(iter(feature["label"].int64_list.value), 0))
        attributes = np.array(feature["attr"].int64_list.value, np.int32) if "attr" in feature else None
    except Exception as error:  # the parser's DecodeError is not public
        raise DamagedRecord(f"{path}, the record at byte {offset} cannot be read: {error}") from error
    if attributes is not None and len(attributes) != len(ATTRIBUTES):
        attributes = None
    return image, label, attributes
