"""Images: sources, and the one pipeline over them."""

import tensorflow as tf

from glow_tf.data.arrays import open_npy, open_npz
from glow_tf.data.bundled import open_bundled
from glow_tf.data.images import check_size
from glow_tf.data.source import DataError, Source

KINDS = {"bundled": open_bundled, "npy": open_npy, "npz": open_npz}

__all__ = ["DataError", "Source", "open_source"]


def open_source(config, image_shape):
    """The `Source` that a `DataConfig` names, for images of `image_shape`; a `DataError` if it cannot be used."""
    kind, _, where = config.source.partition(":")
    source = KINDS[kind](where, config)
    record = source.decode(source.read(tf.constant(source.rows_of("train")[0])))
    check_size(tuple(record["image"].shape), image_shape, config)
    return source
