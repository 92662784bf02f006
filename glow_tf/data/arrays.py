"""Sources of array files: `npy:PATH` holds images, `npz:PATH` images by split and, optionally, labels.

Pickled arrays are refused.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from glow_tf.array_files import NPY, NPZ, ArrayArchive, file_kind, read_array
from glow_tf.config import DataConfig
from glow_tf.data.hold_out import digest
from glow_tf.data.images import shape_check
from glow_tf.data.labels import count_classes, label_column, warn_of_gaps
from glow_tf.data.source import ArraySource
from glow_tf.data.splits import consecutive_rows, draw_splits
from glow_tf.errors import DataError
from glow_tf.types import Images, ImageShape, NamedArrays

KEYS = "images (or train, validation, test) and labels (or train_labels, ...)"


def open_npy(where: str, config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Open uint8 images `[n, h, w]` or `[n, h, w, c]`; a tenth is held out as the test split."""
    _require_kind("npy", where)
    return _source(f"npy:{where}", {"images": read_array(where)}, config, image_shape)


def open_npz(where: str, config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Open the arrays `images`, or `train`, `validation` and `test`, each uint8 `[n, h, w]` or `[n, h, w, c]`.

    Labels are in `labels`, or in `train_labels` and so on, int `[n]` or `[n, 1]`.
    """
    _require_kind("npz", where)
    with ArrayArchive(where) as archive:
        return _source(f"npz:{where}", archive, config, image_shape)


def _require_kind(kind: Literal["npy", "npz"], where: str) -> None:
    """Raise a `DataError` if a file is of the other kind of source."""
    other = {"npy": "npz", "npz": "npy"}[kind]
    if file_kind(where) == {"npy": NPY, "npz": NPZ}[other]:
        raise DataError(f"{kind}:{where}: the file is {file_kind(where)}; give {other}:{where}.")


def _source(name: str, arrays: NamedArrays, config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Return the source of the arrays of a mapping by name, each of which is read once."""
    splits = [s for s in ("train", "validation", "test", "images") if s in arrays]
    if not splits or ("images" in splits and len(splits) > 1):
        raise DataError(f"{name}: expected arrays {KEYS}; got {', '.join(arrays) or 'none'}.")
    images = [_as_images(arrays[split], f"{name}, {split}") for split in splits]
    label_names = ["labels" if split == "images" else f"{split}_labels" for split in splits]
    labels = [arrays.get(label_name) for label_name in label_names]
    if left_out := [key for key in arrays if key not in (*splits, *label_names)]:
        warnings.warn(f"{name}: arrays that are not read: {', '.join(left_out)}; expected {KEYS}.", stacklevel=2)
    if len({i.shape[1:] for i in images}) > 1:
        raise DataError(f"{name}: the splits differ in image shape: {[i.shape[1:] for i in images]}.")
    rows = consecutive_rows({split: len(i) for split, i in zip(splits, images, strict=True)})
    if "images" in rows:
        rows["train"] = rows.pop("images")
    elif "train" not in rows:
        raise DataError(f"{name}: expected arrays {KEYS}; there is no train.")
    labels = _concatenate_labels(labels, images, name)
    images = images[0] if len(images) == 1 else np.concatenate(images)
    classes = 0 if labels is None else count_classes(labels, name)
    if config.labels and labels is not None:
        warn_of_gaps(labels, classes, name)
    test, class_names = 0.1 if splits == ["images"] else None, tuple(map(str, range(classes)))
    return array_source(name, images, labels, rows, config, image_shape, test=test, class_names=class_names)


def array_source(
    name: str,
    images: Images,
    labels: np.ndarray | None,
    rows: Mapping[str, np.ndarray],
    config: DataConfig,
    image_shape: ImageShape,
    *,
    test: float | None = None,
    attributes: np.ndarray | None = None,
    **options: Any,
) -> ArraySource:
    """Return the source of images in memory; the splits that it lacks are held out by position.

    Args:
        name: name of the source.
        images: uint8 `[n, h, w, c]`.
        labels: int `[n]`, or None.
        rows: int `[n]` by split, the splits that the source has.
        config: the configuration that the splits are drawn by.
        image_shape: shape of the model's images.
        test: share of the training split to hold out as the test split where there is none (see `draw_splits`).
        attributes: bool `[n, a]`, or None.
        **options: further ones of `Source`, such as `class_names`, a name for each label.
    """
    columns = [images, b"" if labels is None else labels, *([] if attributes is None else [attributes])]
    rows, split_record = draw_splits(rows, config, test=test, fingerprint=lambda: digest(*columns))
    return ArraySource(
        name,
        images,
        labels,
        rows,
        check=shape_check(image_shape, config),
        attributes=attributes,
        split_record=split_record,
        **options,
    )


def _as_images(array: np.ndarray, name: str) -> Images:
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not array.size:
        raise DataError(f"{name}: expected uint8 images [n, h, w] or [n, h, w, c], got {array.dtype} {array.shape}.")
    if array.ndim == 3 and array.shape[2] in (3, 4) and min(array.shape[:2]) > 4:
        raise DataError(
            f"{name}: expected uint8 images [n, h, w] or [n, h, w, c], got {array.dtype} {array.shape}, which looks "
            f"like one color image; give [1, h, w, {array.shape[2]}], or [n, h, {array.shape[2]}, 1] of gray ones."
        )
    return array[..., None] if array.ndim == 3 else array


def _concatenate_labels(labels: Sequence[np.ndarray | None], images: Sequence[Images], name: str) -> np.ndarray | None:
    """Return the labels of all splits, integers `[n]`, or None if no split has any; all must have them, or none."""
    if all(split_labels is None for split_labels in labels):
        return None
    parts = zip(labels, images, strict=True)
    return np.concatenate([label_column(split_labels, len(split_images), name) for split_labels, split_images in parts])
