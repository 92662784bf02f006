"""Bits/dim of each image of a folder of one's own, as a table."""

import csv
import io
import logging
import os
import pathlib
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf

from glow_tf.batched import ProgressBar, chunk_size, index_labels
from glow_tf.counts import counted
from glow_tf.data.files import DamagedRecordError
from glow_tf.data.folder_checks import require_folder
from glow_tf.data.folder_listing import ImageFile, list_images
from glow_tf.data.images import FitMode
from glow_tf.errors import DataError
from glow_tf.evaluation.likelihood import Bits
from glow_tf.evaluation.own_files import read_own_image
from glow_tf.fields import setting
from glow_tf.io import write_bytes
from glow_tf.model import Glow
from glow_tf.types import ImageShape

NUMBER_FORMAT = "{:.6f}"

logger = logging.getLogger(__name__)

NamedFile: TypeAlias = tuple[str, ImageFile]
"""The path of an image file below a folder, and the file."""


def list_folder(folder: str) -> list[NamedFile]:
    """Return the image files below a folder, each with its path below the folder, and sorted by that.

    Raises:
        DataError: there are none, or the folder cannot be read.
    """
    root = pathlib.Path(folder).expanduser()
    require_folder(root)
    files = [file for part in list_images(root, str(folder)).values() for file in part]
    if not files:
        raise DataError(f"there are no images in {root}.")
    return sorted((file.path.relative_to(root).as_posix(), file) for file in files)


def class_labels(files: Sequence[NamedFile], class_names: Sequence[str] | None, classes: int) -> np.ndarray | None:
    """Return the labels of images by the names of their folders, int32 `[n]`; None for an unconditional model.

    Args:
        files: the files of a folder.
        class_names: names of the model's classes in the order of their labels, or None where they are not known;
            then all folders in the order of their names are the classes.
        classes: number of classes of the model.

    Raises:
        DataError: an image lies in no folder of a class of the model.
    """
    if not classes:
        return None
    folders = [None if file.class_name is None else unicodedata.normalize("NFC", file.class_name) for _, file in files]
    if class_names is None:
        class_names = sorted({name for name in folders if name is not None})
        if len(class_names) != classes:
            raise DataError(
                f"the images lie in the folders of {counted(len(class_names), 'class', 'classes')}, the model has "
                f"{classes}; give a folder for each."
            )
    numbers = {name: label for label, name in enumerate(class_names)}
    labels = []
    for (path, _), name in zip(files, folders, strict=True):
        if name is None or name not in numbers:
            raise DataError(
                f"{path} lies in no folder of a class of the model, {', '.join(class_names[:10])}"
                f"{', ...' if len(class_names) > 10 else ''}; move it into one."
            )
        labels.append(numbers[name])
    return np.array(labels, np.int32)


def measure_files(
    model: Glow,
    files: Sequence[NamedFile],
    labels: np.ndarray | None = None,
    *,
    fit: FitMode = "resize",
    on_damaged: Literal["stop", "skip"] = "stop",
    draws: int = 8,
    batch_size: int | None = None,
    bar: ProgressBar | None = None,
) -> tuple[Bits, Sequence[NamedFile]]:
    """Measure the bits/dim of image files; the noise of an image depends on its name and the draw alone.

    Args:
        model: the model that measures them.
        files: the files of a folder.
        labels: int `[n]` for a conditional model, else None.
        fit: how images of another size are fitted (see `DataConfig.fit`).
        on_damaged: "stop" raises for a file that cannot be read as an image; "skip" names it and leaves it out.
        draws: draws of the dequantization noise.
        batch_size: images at once; None depends on the image size.
        bar: progress bar that counts images, or None.

    Returns:
        The bits/dim of each image and draw, and the files of these images.

    Raises:
        DataError: a file cannot be read as an image, and is not to be left out, or not be fitted; or none can be read.
    """
    batch_size = batch_size or chunk_size(model)
    bits_per_dim = tf.function(
        lambda images, labels, noise: model.bits_per_dim(images, labels, noise=noise),
        autograph=False,
        reduce_retracing=True,
    )
    values = np.zeros([draws, len(files)])
    was_read = np.zeros(len(files), bool)
    for start in range(0, len(files), batch_size):
        readable = {
            i: image
            for i in range(start, min(start + batch_size, len(files)))
            if (image := _read(files[i][1].path, model.image_shape, fit, on_damaged)) is not None
        }
        if not readable:
            continue
        indices, images = np.array(list(readable)), np.stack(list(readable.values()))
        was_read[indices] = True
        for draw in range(draws):
            noise = np.stack([_noise(files[i][0], draw, model.image_shape) for i in indices])
            values[draw, indices] = bits_per_dim(images, index_labels(labels, indices), noise).numpy()
            if bar is not None:
                bar.update(len(images))
    if not was_read.any():
        raise DataError(f"none of the images ({len(files):,}) can be read.")
    return Bits(values[:, was_read], model.config.dims), [files[i] for i in np.flatnonzero(was_read).tolist()]


def _read(
    path: pathlib.Path, image_shape: ImageShape, fit: FitMode, on_damaged: Literal["stop", "skip"]
) -> np.ndarray | None:
    """Return an image that is fitted to a shape, or None if it cannot be read and is to be left out."""
    try:
        return read_own_image(path, image_shape, fit)
    except DamagedRecordError as error:
        if on_damaged == "stop":
            skip = setting("on_damaged", "skip")
            raise DataError(f"{error}; {skip} leaves such images out.") from error
        logger.warning("left out: %s", error)
        return None


def write_table(path: str | os.PathLike, files: Sequence[NamedFile], bits: Bits) -> None:
    """Write a CSV file of columns `path`, `bits_per_dim`, `error` and, if all images lie in such folders, `class`.

    `error` is the standard error over the draws of the noise, empty for one draw.

    Args:
        path: path of the file to write.
        files: the files of a folder.
        bits: the bits/dim of these.

    Raises:
        RunError: the file cannot be written.
    """
    draws, with_class = len(bits.values), all(file.class_name is not None for _, file in files)
    means = bits.values.mean(0)
    errors = bits.values.std(0, ddof=1) / np.sqrt(draws) if draws > 1 else [None] * len(files)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "bits_per_dim", "error", *(["class"] if with_class else [])])
    for (name, file), mean, error in zip(files, means, errors, strict=True):
        numbers = ["" if number is None else NUMBER_FORMAT.format(number) for number in (mean, error)]
        writer.writerow([name, *numbers, *([file.class_name] if with_class else [])])
    write_bytes(path, text.getvalue().encode(errors="surrogateescape"))  # names of files in their own bytes


def _noise(name: str, draw: int, shape: ImageShape) -> np.ndarray:
    """Return the dequantization noise of an image, float32 of that shape."""
    key = zlib.crc32(name.encode(errors="surrogateescape"))
    return np.random.default_rng([draw, key]).random(shape, np.float32)
