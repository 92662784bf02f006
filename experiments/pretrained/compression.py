"""Round weights, and write them compressed without loss; HDF5 decompresses a file whenever it is read."""

import os
import pathlib

import h5py
import keras
import numpy as np

from glow_tf.io import write_atomically

MIN_SIZE = 64
"""Least number of values in an array that is compressed: the chunk of a smaller one would be larger than the array."""

MANTISSA_BITS = 12
"""Bits that rounding leaves of the 23 of a float32. The bits/dim of the faces change by 1e-5."""


def round_weights(array: np.ndarray) -> np.ndarray:
    """Return float32 weights with `MANTISSA_BITS`, to the nearest; the compressed file is a third smaller."""
    dropped = 23 - MANTISSA_BITS
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return (bits + np.uint32(1 << dropped - 1) >> dropped << dropped).view(np.float32)


def write_weights(model: keras.Model, path: pathlib.Path) -> None:
    """Write the compressed weights file of a model, in place of one that is there only once it is whole."""

    def write(temporary: pathlib.Path) -> None:
        model.save_weights(temporary)
        compress(temporary)

    write_atomically(path, write)


def compress(path: str | os.PathLike[str]) -> None:
    """Write the arrays and attributes of an HDF5 file anew, with shuffled bytes and deflated; replace the file.

    The digest of its arrays stays (see `glow_tf.weights_file.digest`).
    """
    write_atomically(pathlib.Path(path), lambda temporary: _write_compressed(path, temporary))


def _write_compressed(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    # The group format of HDF5 1.10 takes a tenth of the room of the first one.
    with h5py.File(source, "r") as old, h5py.File(target, "w", libver="v110") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                options = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
                copied = new.create_dataset(name, data=item[()], **(options if item.size >= MIN_SIZE else {}))
            else:
                copied = new.require_group(name)
            copied.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)
