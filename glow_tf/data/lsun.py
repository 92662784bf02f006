"""`lsun-lmdb:PATH`: LSUN's own databases, through the optional package `lmdb`.

PATH is one database, such as `tower_train_lmdb`, or the prefix of two, `PATH_train_lmdb` and `PATH_val_lmdb`; the
latter is the test split.
"""

import pathlib
import weakref
from types import ModuleType
from typing import Any

from glow_tf.config import DataConfig
from glow_tf.data.files import DamagedRecordError, LoadedRecord, RecordSource
from glow_tf.data.hold_out import digest
from glow_tf.data.image_files import NamedBytes, read_image
from glow_tf.data.images import shape_check
from glow_tf.data.splits import consecutive_rows, draw_splits
from glow_tf.errors import DataError, errors_named
from glow_tf.extras import install_command
from glow_tf.io import stamp
from glow_tf.types import ImageShape

_environments: weakref.WeakValueDictionary[pathlib.Path, Any] = weakref.WeakValueDictionary()
"""Open databases by path: LMDB allows a process to open one only once."""


def open_lsun(where: str, config: DataConfig, image_shape: ImageShape) -> RecordSource:
    """Open LSUN's databases of one category; without a validation database 1 % of the images is held out."""
    try:
        import lmdb
    except ImportError:
        raise DataError(f"lsun-lmdb needs the package lmdb: {install_command('lmdb')}, or pip install lmdb.") from None
    databases = _find_databases(pathlib.Path(where).expanduser(), config.source)
    environments, split_keys = {}, {}
    for split, path in databases.items():
        environments[split], split_keys[split] = _read_keys(lmdb, path, config.source)
    rows = consecutive_rows({split: len(keys) for split, keys in split_keys.items()})
    if not len(rows.get("train", ())):
        raise DataError(f"{config.source}: the database holds no images.")
    records = [(split, key) for split, keys in split_keys.items() for key in keys]
    rows, split_record = draw_splits(rows, config, test=0.01, names=[key for _, key in records])

    def load(row: int) -> LoadedRecord:
        split, key = records[row]
        name = f"{databases[split]}, key {key.decode(errors='replace')}"
        try:
            with environments[split].begin() as transaction:
                data = transaction.get(key)
        except lmdb.Error as error:
            raise DamagedRecordError(f"{name} cannot be read: {error}") from error
        return read_image(NamedBytes(data, name)), 0, None

    return RecordSource(
        config.source,
        rows,
        load,
        check=shape_check(image_shape, config),
        split_record=split_record,
        on_damaged=config.on_damaged,
        contents=lambda: digest(*(f"{path.resolve()}{stamp(path / 'data.mdb')}" for path in databases.values())),
    )


def _find_databases(path: pathlib.Path, source_name: str) -> dict[str, pathlib.Path]:
    """Return the folder of each split: the databases of which `path` is the prefix, or `path` itself for training."""
    folders = {
        "train": path.with_name(path.name + "_train_lmdb"),
        "test": path.with_name(path.name + "_val_lmdb"),
    }
    with errors_named(source_name):
        present = {split: folder for split, folder in folders.items() if folder.is_dir()} or {"train": path}
    if "train" not in present:
        raise DataError(f"lsun-lmdb:{path}: expected {folders['train']} beside {folders['test']}; there is none.")
    return present


def _read_keys(lmdb: ModuleType, path: pathlib.Path, source_name: str) -> tuple[Any, list[bytes]]:
    """Open a database and read its keys; return its `lmdb.Environment` and the keys."""
    with errors_named(source_name):
        is_database = (path / "data.mdb").is_file()
    if not is_database:
        raise DataError(f"{source_name}: no database (data.mdb) in {path}; LSUN's zip files hold them.")
    try:
        environment = _open_environment(lmdb, path.resolve(), source_name)
        with environment.begin() as transaction:
            return environment, list(transaction.cursor().iternext(keys=True, values=False))
    except lmdb.Error as error:
        raise DataError(f"{source_name}: {path} cannot be read as an LMDB database: {error}") from error


def _open_environment(lmdb: ModuleType, path: pathlib.Path, source_name: str) -> Any:
    environment = _environments.get(path)
    if environment is None:
        environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        size, expected = (path / "data.mdb").stat().st_size, _smallest_size(environment)
        if size < expected:
            environment.close()
            raise DataError(
                f"{source_name}: {path / 'data.mdb'} has {size:,} bytes, expected at least {expected:,}: it is cut "
                "off; copy or unpack it again."
            )
        _environments[path] = environment
    return environment


def _smallest_size(environment: Any) -> int:
    """Return the bytes that the file of a database has at least; reading behind its end would kill the process.

    The pages in use are counted, two of them for LMDB itself. The number of the last page would be too much: pages that
    were freed before they were written, as by a deletion, may be missing at the end of a whole file.
    """
    pages = environment.stat()
    return (2 + pages["branch_pages"] + pages["leaf_pages"] + pages["overflow_pages"]) * pages["psize"]
