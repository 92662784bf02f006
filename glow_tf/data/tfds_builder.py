"""Find or prepare a data set of TensorFlow Datasets as array records, or say what to do."""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glow_tf.errors import DataError
from glow_tf.io import describe_error

SPLITS = ("train", "validation", "test")

ADVICE = {
    "downsampled_imagenet": "its official address is gone: put the PNG files of your copy in folders train/ and "
    "test/ (its validation images) and give the source folder:PATH",
    "celeb_a_hq": "it is made by hand: put data256x256.tar into the manual_dir that TFDS names, or the images into a "
    "folder and give the source folder:PATH",
    "lsun": "its reader does not load with this TensorFlow: give the source lsun-lmdb:PATH or folder:PATH",
}
"""What to do if a data set cannot be prepared, by its name."""

CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
"""Numbers of the errors of a disk that is full or protected."""


def is_prepared(where: str) -> bool:
    """Return whether a data set is on this machine, so that `prepare_data_sources` downloads nothing.

    Args:
        where: name of the data set, with a configuration and a version where it has them.
    """
    try:
        import tensorflow_datasets as tfds

        return tfds.builder(where, file_format="array_record").is_prepared()
    except Exception:  # many types, as below; whoever prepares it says what is wrong
        return False


def prepare_data_sources(where: str, name: str, source_name: str) -> tuple[Any, dict[str, Sequence[Mapping[str, Any]]]]:
    """Download and prepare a data set; return its `DatasetInfo` and the records of each split.

    Args:
        where: name of the data set, with a configuration and a version where it has them.
        name: name of the data set alone.
        source_name: name of the source, for messages.

    Returns:
        `(info, records)`: of a record, an image that is stored as a file is the bytes of that file.

    Raises:
        DataError: there is no such data set, or it cannot be prepared.
    """
    import tensorflow_datasets as tfds

    try:
        # `Any`: TFDS annotates neither the features of a data set nor the options of its data sources.
        builder: Any = tfds.builder(where, file_format="array_record")
    except Exception as error:  # TFDS raises many types for an unknown name or configuration
        if "file format" in str(error).lower():
            raise _other_format(where, source_name) from error
        raise DataError(f"{source_name}: TFDS has no such data set: {describe_error(error)}.") from error
    try:
        builder.download_and_prepare()
        splits = [s for s in SPLITS if s in builder.info.splits] or ["train"]
        is_file = _is_image_file(dict(builder.info.features).get("image"))
        decoders = {"image": tfds.decode.SkipDecoding()} if is_file else None
        data_sources = {split: builder.as_data_source(split=split, decoders=decoders) for split in splits}
    except Exception as error:  # and for a download, a checksum or a manual step that fails
        raise DataError(
            f"{source_name} could not be prepared in {builder.data_dir} ({describe_error(error)}); "
            f"{_advice(name, error)}."
        ) from error
    return builder.info, data_sources


def _is_image_file(feature: Any) -> bool:
    """Return whether a feature holds images as files that `read_image` reads.

    Where TFDS decodes a file it leaves palettes as numbers, CMYK as four channels, and cuts 16 bits to the lower 8. It
    still decodes images that are declared to have an alpha channel, or that have other types than uint8.
    """
    import tensorflow_datasets as tfds

    if not isinstance(feature, tfds.features.Image):
        return False
    channels = feature.shape[-1]  # pyright: ignore[reportIndexIssue] (TFDS does not say that it is a tuple)
    return feature.np_dtype == np.uint8 and channels not in (2, 4)


def _other_format(where: str, source_name: str) -> DataError:
    """Return the `DataError` of a data set that is prepared already, in files that are not read by index."""
    import tensorflow_datasets as tfds

    builder: Any = tfds.builder(where)
    return DataError(
        f"{source_name} is prepared in {builder.data_dir} as {builder.info.file_format.value}, expected array_record, "
        "which is read by index; name another folder by the environment variable TFDS_DATA_DIR, in which it is "
        "prepared once more."
    )


def _advice(name: str, error: Exception) -> str:
    """Return what to do about an error of the preparation of a data set."""
    if name in ADVICE:
        return ADVICE[name]
    if isinstance(error, ImportError):
        return f"install the package that is missing: pip install {(error.name or 'it').partition('.')[0]}"
    if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
        return "free some space there, or name another folder by the environment variable TFDS_DATA_DIR"
    return "prepare it where there is a network, and copy it to the same place here"
