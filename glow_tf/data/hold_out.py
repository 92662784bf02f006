"""The two rules that hold images out of the training split.

| rule | for sources whose images | holds out | if images are added |
|---|---|---|---|
| by name | have names: files, keys of a database | the names with the smallest hashes | no image changes its split |
| by position | have none: arrays, records | positions of a fixed permutation | most change, so a run refuses it |

Runs of format 1 held out by position always, and kept no record of the images. A run also records that nothing was held
out (no images to split, no cutoff), so that it refuses a source which has lost a split since; of images without names
it keeps a digest all the same, as their order and the test images may change.
"""

import dataclasses
import hashlib
import math
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from glow_tf.config import SplitRecord
from glow_tf.counts import counted
from glow_tf.errors import DataError


class HoldOutByName:
    """Hold out the images whose names have a hash below a cutoff.

    The cutoff is the requested share. Among few images it may be larger, so that at least one is held out. A run keeps
    the cutoffs that it began with.

    Args:
        source_name: name of the source, for messages.
        names: name of the image of each row.
        recorded: the record of a run, or None.
    """

    def __init__(self, source_name: str, names: Sequence[str | bytes], recorded: SplitRecord | None) -> None:
        self.source_name, self.names, self.recorded = source_name, names, recorded
        self.images = 0
        self.cutoffs: dict[str, float] = {}

    def __call__(self, rows: np.ndarray, split: str, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return `(train, held out)` rows; the latter in the order of their hashes."""
        self.images = self.images or len(rows)
        hashes = np.array([name_hash(self.names[row], split) for row in rows])
        cutoff = None if self.recorded is None else getattr(self.recorded, split)
        if cutoff is None:
            at_least_one, all_but_one = math.nextafter(hashes.min(), 1), hashes.max()
            cutoff = float(min(max(share, at_least_one), all_but_one))
        self.cutoffs[split] = cutoff
        is_held_out = hashes < cutoff
        if not is_held_out.any() or is_held_out.all():
            portion = "all" if is_held_out.any() else "none"
            if self.recorded is not None and self.recorded.images is not None:
                raise DataError(
                    f"{self.source_name}: {portion} of the images that are left of the run's data ({len(rows):,}) "
                    f"belong to its {split} split; bring the others back, or start a new run."
                )
            raise DataError(  # of another source than the run's
                f"{self.source_name}: {portion} of the images ({len(rows):,}) belong to the {split} split, which is "
                "drawn by their names as in the run; give more images, or images with a split of their own."
            )
        held_out = rows[is_held_out]
        return rows[~is_held_out], held_out[np.argsort(hashes[is_held_out], kind="stable")]

    def record(self) -> SplitRecord:
        """Return the record of the splits.

        Raises:
            DataError: other splits were held out than the run records.
        """
        record = SplitRecord(
            "name", self.images, test=self.cutoffs.get("test"), validation=self.cutoffs.get("validation")
        )
        _require_same_splits(record, self.recorded, self.source_name)
        return record


class HoldOutByPosition:
    """Hold out positions of a fixed permutation of the rows.

    Args:
        source_name: name of the source, for messages.
        names: name of the image of each row, or None.
        fingerprint: function that returns a text that differs for other images; None for images with names.
        recorded: the record of a run, or None.
    """

    def __init__(
        self,
        source_name: str,
        names: Sequence[str | bytes] | None,
        fingerprint: Callable[[], str] | None,
        recorded: SplitRecord | None,
    ) -> None:
        self.source_name, self.recorded, self.images = source_name, recorded, 0
        self.has_names = names is not None
        self.fingerprint = fingerprint if names is None else lambda: digest(*(_encoded(name) + b"\0" for name in names))

    def __call__(self, rows: np.ndarray, split: str, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return `(train, held out)` rows; the latter in a random order."""
        self.images = self.images or len(rows)
        return hold_out(rows, share)

    def record(self) -> SplitRecord:
        """Return the record of the splits.

        Raises:
            DataError: it is not that of the run.
        """
        record = SplitRecord("position", self.images, self._digest())
        recorded = self.recorded
        _require_same_splits(record, recorded, self.source_name)
        if recorded is None or recorded.digest is None:  # that of a run that kept none
            return record
        if dataclasses.replace(recorded, classes=None) != record:  # the classes are compared elsewhere
            if not self.images:
                raise DataError(
                    f"{self.source_name} has changed since the run was started: there are other images now; bring the "
                    "first images back, or start a new run."
                )
            now = counted(self.images, "image") if record.images != recorded.images else "other images"
            raise DataError(
                f"{self.source_name} has changed: the run was started with {counted(recorded.images or 0, 'image')} to "
                f"split and there are {now} now, so that its training images would be among those held out; bring the "
                "first images back, or start a new run."
            )
        return record

    def _digest(self) -> str | None:
        """Return the digest of the images; None of images with names if none were held out: more may come."""
        if self.has_names and not self.images:
            return None
        assert self.fingerprint is not None  # needed where the images have no names
        return self.fingerprint()


def same_splits(record: SplitRecord, recorded: SplitRecord) -> bool:
    """Return whether two `SplitRecord`s hold out the same splits, as far as they tell.

    By position they tell only whether any was held out; a record of format 1 tells nothing.
    """
    if recorded.images is None:
        return True
    return _held_out(record) == _held_out(recorded)


def _held_out(record: SplitRecord) -> tuple[bool, bool, bool]:
    return record.test is not None, record.validation is not None, bool(record.images)


def _require_same_splits(record: SplitRecord, recorded: SplitRecord | None, source_name: str) -> None:
    if recorded is not None and not same_splits(record, recorded):
        raise DataError(
            f"{source_name} has other splits than when the run was started; bring them back, or start a new run."
        )


def hold_out(rows: np.ndarray, fraction: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Split rows by position into `(train, held out)`.

    A fraction of the rows, at least one, is held out, chosen and shuffled by a fixed seed.
    """
    rows = np.asarray(rows, np.int64)
    count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[count:])], rows[order[:count]]


def name_hash(name: str | bytes, split: str) -> float:
    """Return a number in [0, 1) that depends on a name and on the name of a split."""
    hashed = hashlib.blake2b(_encoded(name), digest_size=8, salt=split.encode()).digest()
    return (int.from_bytes(hashed, "big") >> 11) / 2**53


def digest(*parts: str | bytes | np.ndarray) -> str:
    """Return a hexadecimal digest of strings, bytes and NumPy arrays."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype.str}{part.shape}".encode())
            part = np.ascontiguousarray(part).data
        state.update(_encoded(part) if isinstance(part, str) else part)
    return state.hexdigest()[:32]


def _encoded(name: str | bytes) -> bytes:
    """Return a name as bytes; of a str in Unicode's composed form, in which file systems differ."""
    return unicodedata.normalize("NFC", name).encode(errors="surrogateescape") if isinstance(name, str) else name
