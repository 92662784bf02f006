"""Write and check the digest and the model's configuration in a weights file; HDF5 takes any value for a number.

Both are attributes of the file, so they stay with a copy. Files without them, those of earlier versions and of Keras,
are taken as they are. A `.keras` file is a zip archive, which has checksums of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from glow_tf.errors import RunError

if TYPE_CHECKING:
    from glow_tf.config import ModelConfig

ATTRIBUTE = "glow_tf_sha256"
"""Attribute of the file's root: SHA-256 of all arrays (see `digest`), in hexadecimal."""

CONFIG_ATTRIBUTE = "glow_tf_config"
"""Attribute of the file's root: the model's configuration, JSON."""

FIELDS_THAT_MAY_DIFFER = ("recompute", "network_dtype", "init_seed")
"""Fields of the configuration that change no number of a trained model, beyond rounding."""

FIELDS_OF_TRAINING = ("weight_y",)
"""Fields that change the loss alone; a model may be trained on with others."""

ENDING = "weights.h5"

READ_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError)
"""Errors of h5py from a damaged file."""


def seal(path: str | os.PathLike[str], config: ModelConfig) -> None:
    """Write the digest of a weights file, and the configuration of its model, into it."""
    with h5py.File(path, "r+") as file:
        file.attrs[CONFIG_ATTRIBUTE] = json.dumps(dataclasses.asdict(config))
        file.attrs[ATTRIBUTE] = digest(file)


def check_seal(path: str | os.PathLike[str]) -> None:
    """Check that the arrays of a weights file, or the parts of a `.keras` file, are those that were written.

    Raises:
        RunError: they are not, or the file cannot be read.
    """
    if str(path).endswith(".keras"):
        _check_archive(path)
    elif str(path).endswith(ENDING):
        _check_digest(path)


def check_config(
    path: str | os.PathLike[str], config: ModelConfig, may_differ: Collection[str] = FIELDS_THAT_MAY_DIFFER
) -> None:
    """Check that a weights file was written by a model of this configuration.

    The shapes of the weights tell most of it, but not the bits per channel, for one.

    Args:
        path: path of the file; one that is missing, or does not say, is not refused.
        config: the configuration that is expected.
        may_differ: names of fields that are not compared.

    Raises:
        RunError: the configurations differ in another field.
    """
    differences = config_differences(path, config, may_differ)
    if differences:
        raise RunError(
            f"{path} was written with another configuration than config.json has now: {differences}. Change it back."
        )


def config_differences(path: str | os.PathLike[str], config: ModelConfig, ignored: Collection[str]) -> str:
    """Describe how a configuration differs from that of the model which wrote a weights file; "" if it does not."""
    written, values = written_config(path), json.loads(json.dumps(dataclasses.asdict(config)))
    names = [name for name in values if name in written and name not in ignored]
    return "; ".join(f"{name} {values[name]}, not {written[name]}" for name in names if values[name] != written[name])


def written_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the fields of the configuration of the `Glow` that wrote a file, or {} if the file has none.

    Args:
        path: path of a weights file, or of a whole model, `.keras` or Keras's old `.h5`, which has it in Keras's form.
    """
    try:
        if str(path).endswith(".keras"):
            with zipfile.ZipFile(path) as archive:
                values = json.loads(archive.read("config.json"))["config"].get("config")
        else:
            with h5py.File(path, "r") as file:
                model = json.loads(file.attrs.get("model_config", "{}"))
                values = json.loads(file.attrs.get(CONFIG_ATTRIBUTE, "{}")) or model.get("config", {}).get("config")
    except (*READ_ERRORS, AttributeError, zipfile.BadZipFile, zlib.error):
        return {}
    return values if isinstance(values, dict) else {}


def digest(file: h5py.File) -> str:
    """Return the SHA-256 of the names, types, shapes and bytes of all arrays in an open HDF5 file, in order of name."""
    arrays = {}
    file.visititems(lambda name, item: arrays.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return digest_arrays(arrays)


def digest_arrays(arrays: Mapping[str, np.ndarray | h5py.Dataset]) -> str:
    """Return the SHA-256 of the names, types, shapes and bytes of arrays, in hexadecimal; the order does not matter."""
    result = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        result.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        result.update(np.ascontiguousarray(array[()]).reshape(-1).view(np.uint8).data)
    return result.hexdigest()


def written_digest(path: str | os.PathLike[str]) -> str | None:
    """Return the digest that a weights file says it has, or None if it says none or cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            written = file.attrs.get(ATTRIBUTE)
    except READ_ERRORS:
        return None
    return None if written is None else str(written)


def _check_digest(path: str | os.PathLike[str]) -> None:
    try:
        with h5py.File(path, "r") as file:
            written = file.attrs.get(ATTRIBUTE)
            intact = written is None or written == digest(file)
    except READ_ERRORS as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not intact:
        raise RunError(f"{path} is damaged: its numbers are not those that were written (their digest differs).")


def _check_archive(path: str | os.PathLike[str]) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError) as error:
        raise RunError(f"{path} is damaged, or no Keras file: {error}") from error
    if damaged is not None:
        raise RunError(f"{path} is damaged: the checksum of {damaged} in it is wrong.")
