"""Find the records in the original's TFRecords: which files, and where in them.

In `<split>/<split>-r%02d-s-%04d-of-%04d.tfrecords`, `r` is log2 of the resolution; of several, the smallest that holds
the model's images is taken.
"""

import itertools
import pathlib
import re
import struct
import warnings
from typing import NamedTuple

import numpy as np

from glow_tf.data.splits import consecutive_rows
from glow_tf.errors import DataError

GZIP = b"\x1f\x8b"
"""The first bytes of a compressed file."""

HEADER_LENGTH = 12
"""Bytes before the data of a record: its length and a checksum of that."""

FOOTER_LENGTH = 4
"""Bytes after the data: their checksum."""

FILE_NAME = re.compile(r"(?P<split>train|validation|test)-r(?P<r>\d+)-s-(?P<s>\d{4})-of-(?P<of>\d{4})\.tfrecords")


class Location(NamedTuple):
    """The place of a record's data in a file, and their checksum."""

    path: pathlib.Path
    offset: int
    length: int
    checksum: bytes


def list_records(root: pathlib.Path, size: int) -> tuple[list[Location], dict[str, np.ndarray]]:
    """Return the locations of all records, and the rows of each split, int64 `[n]`."""
    split_locations = {
        split: [location for path in _list_files(root, split, size) for location in _locate_records(path)]
        for split in ("train", "validation", "test")
    }
    rows = consecutive_rows({split: len(locations) for split, locations in split_locations.items()})
    return list(itertools.chain.from_iterable(split_locations.values())), rows


def _list_files(root: pathlib.Path, split: str, size: int) -> list[pathlib.Path]:
    """Return the files of a split at the smallest resolution of at least `size`, or else at the largest.

    Raises:
        DataError: if there are not as many as their names say.
    """
    files: dict[int, list[tuple[int, int, pathlib.Path]]] = {}
    for path in sorted((root / split).glob("*.tfrecords")):
        match = FILE_NAME.fullmatch(path.name)
        if match and match["split"] == split:
            files.setdefault(int(match["r"]), []).append((int(match["s"]), int(match["of"]), path))
    if not files:
        return []
    sufficient = [r for r in files if 2**r >= size]
    chosen = files[min(sufficient) if sufficient else max(files)]
    promised = chosen[0][1]
    if [(number, count) for number, count, _ in chosen] != [(i, promised) for i in range(promised)]:
        counts = sorted({count for _, count, _ in chosen})
        reason = "some are missing" if len(counts) == 1 else "these are files of several exports"
        promises = " or ".join(map(str, counts))
        raise DataError(f"{root / split}: the names promise {promises} files, there are {len(chosen)}; {reason}.")
    paths = [path for *_, path in chosen]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is not a regular file.")
    return paths


def _locate_records(path: pathlib.Path) -> list[Location]:
    """Return the `Location` of the data of each record of a file.

    Only headers and checksums are read. A record is its length (8 bytes), a checksum of it (4), the data, and a
    checksum of the data (4).
    """
    locations: list[Location] = []
    offset, end = 0, path.stat().st_size
    if not end:
        warnings.warn(f"{path} is empty; copy it again if it should hold images.", stacklevel=2)
    with open(path, "rb") as file:
        while offset < end:
            file.seek(offset)
            header = file.read(HEADER_LENGTH)
            length = struct.unpack("<Q", header[:8])[0] if len(header) == HEADER_LENGTH else end
            if offset + HEADER_LENGTH + length + FOOTER_LENGTH > end:
                is_compressed = not offset and header.startswith(GZIP)
                problem = "compressed (gzip); unpack it" if is_compressed else f"cut off in record {len(locations)}"
                raise DataError(f"{path} is {problem}{'' if is_compressed else '; copy it again'}.")
            file.seek(offset + HEADER_LENGTH + length)
            locations.append(Location(path, offset + HEADER_LENGTH, length, file.read(FOOTER_LENGTH)))
            offset += HEADER_LENGTH + length + FOOTER_LENGTH
    return locations
