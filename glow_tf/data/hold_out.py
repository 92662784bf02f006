"""The two rules that hold images out of the training split.

| rule | for sources whose images | holds out | if images are added |
|---|---|---|---|
| by name | have names: files, keys of a database | the names with the smallest hashes | no image changes its split |
| by position | have none: arrays, records | positions of a fixed permutation | most change, so a run refuses it |

Runs of format 1 held out by position always, and kept no record of the images.
"""

import hashlib
import math
import unicodedata

import numpy as np

from glow_tf.config import SplitRecord
from glow_tf.errors import DataError


class HoldOutByName:
    """Hold out the images whose names have a hash below a cutoff.

    The cutoff is the share that is asked for. Of a few images it may be more: at least one is held out. A run keeps the
    cutoffs that it began with.

    Args:
        source_name: str, for messages.
        names: a str or bytes for each row.
        recorded: the `SplitRecord` of a run, or None.
    """

    def __init__(self, source_name, names, recorded):
        self.source_name, self.names, self.images = source_name, names, None
        self.cutoffs = {} if recorded is None else {"test": recorded.test, "validation": recorded.validation}

    def __call__(self, rows, split, share):
        """Return `(train, held out)` rows; the latter in the order of their hashes."""
        self.images = self.images or len(rows)
        hashes = np.array([name_hash(self.names[row], split) for row in rows])
        if self.cutoffs.get(split) is None:
            at_least_one, all_but_one = math.nextafter(hashes.min(), 1), hashes.max()
            self.cutoffs[split] = float(min(max(share, at_least_one), all_but_one))
        is_held_out = hashes < self.cutoffs[split]
        if not is_held_out.any() or is_held_out.all():
            raise DataError(
                f"{self.source_name}: {'all' if is_held_out.any() else 'none'} of the {len(rows)} images that are left "
                f"of the run's data belong to its {split} split; bring the others back, or give another --run-dir."
            )
        held_out = rows[is_held_out]
        return rows[~is_held_out], held_out[np.argsort(hashes[is_held_out], kind="stable")]

    def record(self):
        """Return the `SplitRecord`, or None if nothing was held out."""
        return None if self.images is None else SplitRecord("name", self.images, **self.cutoffs)


class HoldOutByPosition:
    """Hold out positions of a fixed permutation of the rows.

    Args:
        source_name: str, for messages.
        names: a str or bytes for each row, or None.
        fingerprint: function that returns a str that differs for other images; of images with names it is not needed.
        recorded: the `SplitRecord` of a run, or None.
    """

    def __init__(self, source_name, names, fingerprint, recorded):
        self.source_name, self.recorded, self.images = source_name, recorded, None
        self.fingerprint = fingerprint if names is None else lambda: digest(*(_encoded(name) + b"\0" for name in names))

    def __call__(self, rows, split, share):
        """Return `(train, held out)` rows; the latter in a random order."""
        self.images = self.images or len(rows)
        return hold_out(rows, share)

    def record(self):
        """Return the `SplitRecord`, or None if nothing was held out.

        Raises:
            DataError: it is not that of the run.
        """
        if self.images is None:
            return None
        record, recorded = SplitRecord("position", self.images, self.fingerprint()), self.recorded
        if recorded is not None and recorded.images is not None and recorded != record:
            now = f"{record.images:,} images" if record.images != recorded.images else "other images"
            raise DataError(
                f"{self.source_name} has changed: the run was started with {recorded.images:,} images to split and "
                f"there are {now} now, so that its training images would be among those held out; bring the first "
                "images back, or give another --run-dir."
            )
        return record


def hold_out(rows, fraction, seed=0):
    """Split rows by position into `(train, held out)`.

    A fraction of the rows, at least one, is held out, chosen and shuffled by a fixed seed.
    """
    rows = np.asarray(rows, np.int64)
    count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[count:])], rows[order[:count]]


def name_hash(name, split):
    """Return a number in [0, 1) that depends on a name, a str or bytes, and on the name of a split."""
    digest = hashlib.blake2b(_encoded(name), digest_size=8, salt=split.encode()).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def digest(*parts):
    """Return a hexadecimal digest of strings, bytes and NumPy arrays."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype.str}{part.shape}".encode())
            part = np.ascontiguousarray(part).data
        state.update(_encoded(part) if isinstance(part, str) else part)
    return state.hexdigest()[:32]


def _encoded(name):
    """Return a name as bytes; of a str in Unicode's composed form, in which file systems differ."""
    return unicodedata.normalize("NFC", name).encode(errors="surrogateescape") if isinstance(name, str) else name
