"""Images: sources, and the one pipeline over them."""

from glow_tf.data.arrays import open_npy, open_npz
from glow_tf.data.bundled import open_bundled
from glow_tf.data.folder import open_folder
from glow_tf.data.images import check_size
from glow_tf.data.lsun import open_lsun
from glow_tf.data.source import ArraySource, DataError, Source
from glow_tf.data.tfds_source import open_tfds
from glow_tf.data.tfrecord import open_tfrecord

KINDS = {
    "bundled": open_bundled,
    "tfds": open_tfds,
    "folder": open_folder,
    "npz": open_npz,
    "npy": open_npy,
    "tfrecord": open_tfrecord,
    "lsun-lmdb": open_lsun,
}

__all__ = ["DataError", "Source", "open_source"]


def open_source(config, image_shape):
    """The `Source` that a `DataConfig` names, for images of `image_shape`; a `DataError` if it cannot be used."""
    kind, _, where = config.source.partition(":")
    more = (image_shape,) if kind == "tfrecord" else ()  # TFRecords hold several resolutions
    source = KINDS[kind](where, config, *more)
    source.check = lambda shape: check_size(shape, image_shape, config)
    if isinstance(source, ArraySource):
        source.check(source.images.shape[1:])
    return source
