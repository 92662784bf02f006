"""Check a conversion: bits/dim of a batch of images from a file."""

import pathlib
from collections.abc import Iterator

import numpy as np

from glow_tf import batched
from glow_tf.array_files import NPY, ArrayArchive, file_kind, read_array
from glow_tf.convert.openai_glow.checkpoint import OpenAIGlowCheckpoint
from glow_tf.counts import counted
from glow_tf.errors import ConversionError, DataError
from glow_tf.model import Glow
from glow_tf.types import Images


def measure_bits(checkpoint: OpenAIGlowCheckpoint, path: pathlib.Path | str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield `(name, bits/dim [n])` for the raw and, if there are any, the EMA weights on a batch of images.

    The model of the checkpoint is left with the weights that were loaded last.

    Args:
        checkpoint: the checkpoint whose weights are measured.
        path: file of the batch (see `read_batch`).

    Raises:
        ConversionError: the batch cannot be read, or values in the checkpoint are damaged or not finite.
    """
    images, labels = read_batch(path, checkpoint.model)
    loaders = {"raw weights": checkpoint.load_weights}
    if checkpoint.has_ema:
        loaders["EMA weights"] = checkpoint.load_ema
    for name, load in loaders.items():
        load()
        yield name, batched.bits_per_dim(checkpoint.model, images, labels)


def read_batch(path: pathlib.Path | str, model: Glow) -> tuple[Images, np.ndarray | None]:
    """Read `(images, labels)` for a `Glow` from a file; nothing pickled is loaded.

    Args:
        path: a .npy file of images, or a .npz file with `x` and, for a conditional model, `y`: uint8 images
            `[n, H, W, C]` and int labels `[n]`.
        model: the model of the batch; labels are None if it is unconditional.

    Raises:
        ConversionError: the file cannot be read, or does not fit the model.
    """
    try:
        if file_kind(path) == NPY:
            arrays = {"x": read_array(path)}
        else:
            with ArrayArchive(path) as archive:
                arrays = {name: archive[name] for name in ("x", "y") if name in archive}
    except DataError as error:
        raise ConversionError(f"{path} cannot be read as a batch of images (.npy, or .npz with x): {error}") from error
    images, shape = arrays.get("x"), model.image_shape
    if images is None or images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape or not len(images):
        got = "no array x" if images is None else f"{images.dtype} {list(images.shape)}"
        raise ConversionError(f"{path}: expected uint8 images [n, {', '.join(map(str, shape))}], got {got}.")
    return images, _checked_labels(arrays.get("y"), path, len(images), model.config.classes)


def _checked_labels(labels: np.ndarray | None, path: pathlib.Path | str, n: int, classes: int) -> np.ndarray | None:
    if not classes:
        return None
    if labels is None:
        raise ConversionError(f"{path}: the model is conditional, so it takes an .npz with labels y and images x.")
    if labels.dtype.kind not in "iu" or labels.shape != (n,) or labels.min() < 0 or labels.max() >= classes:
        raise ConversionError(f"{path}: expected {counted(n, 'integer label')} y from 0 to {classes - 1}.")
    return labels
