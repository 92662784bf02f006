"""A digest in weights files, by which damage is noticed: HDF5 itself takes any value for a number.

The digest is an attribute of the file, so it stays with a copy. Files without one, those of earlier versions and of
Keras, are taken as they are. A `.keras` file is a zip archive, which has checksums of its own.
"""

import hashlib
import os
import zipfile
import zlib

import h5py
import numpy as np

from glow_tf.errors import RunError

ATTRIBUTE = "glow_tf_sha256"
"""Attribute of the file's root: SHA-256 of all arrays (see `digest`), in hexadecimal."""

ENDING = "weights.h5"

READ_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError)
"""What h5py raises for a damaged file."""


class SealedWeights:
    """Base of a Keras model, before `keras.Model`, whose weights files carry a digest that every load checks."""

    def save_weights(self, filepath, *args, **kwargs):
        """Save the weights as `keras.Model.save_weights` does, with a digest of them in the file."""
        super().save_weights(filepath, *args, **kwargs)
        if str(filepath).endswith(ENDING) and os.path.isfile(filepath):
            seal(filepath)

    def load_weights(self, filepath, *args, **kwargs):
        """Load weights as `keras.Model.load_weights` does.

        Raises:
            RunError: the numbers in the file are not those that were written.
        """
        if os.path.isfile(filepath):
            check_seal(filepath)
        super().load_weights(filepath, *args, **kwargs)


def seal(path):
    """Write the digest of a weights file into it."""
    with h5py.File(path, "r+") as file:
        file.attrs[ATTRIBUTE] = digest(file)


def check_seal(path):
    """Raise a `RunError` if the arrays of a weights file, or the parts of a `.keras` file, are not those written."""
    if str(path).endswith(".keras"):
        _check_archive(path)
    elif str(path).endswith(ENDING):
        _check_digest(path)


def digest(file):
    """Return the SHA-256 of the names, types, shapes and bytes of all arrays in an open HDF5 file, in order of name."""
    arrays = {}
    file.visititems(lambda name, item: arrays.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    result = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        result.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        result.update(np.ascontiguousarray(array[()]).tobytes())
    return result.hexdigest()


def _check_digest(path):
    try:
        with h5py.File(path, "r") as file:
            written = file.attrs.get(ATTRIBUTE)
            intact = written is None or written == digest(file)
    except READ_ERRORS as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not intact:
        raise RunError(f"{path} is damaged: its numbers are not those that were written (their digest differs).")


def _check_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError) as error:
        raise RunError(f"{path} is damaged, or no Keras file: {error}") from error
    if damaged is not None:
        raise RunError(f"{path} is damaged: the checksum of {damaged} in it is wrong.")
