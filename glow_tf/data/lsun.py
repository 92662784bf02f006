"""`lsun-lmdb:PATH`: LSUN's own databases, through the optional package `lmdb`.

PATH is one database, such as `tower_train_lmdb`, or the prefix of two, `PATH_train_lmdb` and `PATH_val_lmdb`; the
latter is the test split.
"""

import io
import pathlib
import weakref

import numpy as np

from glow_tf.data.files import DamagedRecord, RecordSource
from glow_tf.data.folder import read_image
from glow_tf.data.source import DataError, complete_splits, hold_out

_environments = weakref.WeakValueDictionary()
"""Open databases by path: LMDB allows a process to open one only once."""


def open_lsun(where, config):
    try:
        import lmdb
    except ImportError:
        raise DataError("lsun-lmdb needs the package lmdb: pip install 'glow_tf[lmdb]', or pip install lmdb.") from None
    path = pathlib.Path(where).expanduser()
    databases = {
        split: place
        for split, end in (("train", "_train_lmdb"), ("test", "_val_lmdb"))
        if (place := path.with_name(path.name + end)).is_dir()
    } or {"train": path}
    keys, rows, environments = [], {}, {}
    for split, place in databases.items():
        if not (place / "data.mdb").is_file():
            raise DataError(f"{config.source}: no database (data.mdb) in {place}; LSUN's zip files hold them.")
        try:
            environments[split] = _environment(lmdb, place.resolve())
            with environments[split].begin() as transaction:
                found = [(split, key) for key in transaction.cursor().iternext(keys=True, values=False)]
        except lmdb.Error as error:
            raise DataError(f"{config.source}: {place} cannot be read as an LMDB database: {error}") from error
        rows[split] = np.arange(len(keys), len(keys) + len(found))
        keys += found
    if not len(rows.get("train", ())):
        raise DataError(f"{config.source}: the database holds no images.")
    if "test" not in rows:
        rows["train"], rows["test"] = hold_out(rows["train"], 0.01)

    def load(row):
        split, key = keys[row]
        name = f"{databases[split]}, key {key.decode(errors='replace')}"
        try:
            with environments[split].begin() as transaction:
                data = transaction.get(key)
        except lmdb.Error as error:
            raise DamagedRecord(f"{name} cannot be read: {error}") from error
        return read_image(_Named(data, name)), 0, None

    return RecordSource(config.source, complete_splits(rows, config), load, on_damaged=config.on_damaged)


def _environment(lmdb, path):
    found = _environments.get(path)
    if found is None:
        found = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        _environments[path] = found
    return found


class _Named(io.BytesIO):
    """Bytes with a name for messages."""

    def __init__(self, data, name):
        super().__init__(data)
        self.name = name

    def __str__(self):
        return self.name
