"""A batch of images from a file, to check a conversion with."""

import zipfile

import numpy as np

from glow_tf.openai.errors import OpenaiError


def read_batch(path, model):
    """`(images, labels)` for a `Glow` from a .npy file of images, or a .npz file with `x` and, for labels, `y`.

    Images are uint8 `[n, H, W, C]`; labels int `[n]`, None where the model takes none. Nothing pickled is loaded.

    Raises:
        OpenaiError: the file cannot be read, or does not fit the model.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        arrays = {"x": stored} if isinstance(stored, np.ndarray) else {k: stored[k] for k in stored}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise OpenaiError(f"{path} cannot be read as a batch of images (.npy, or .npz with x): {error}") from error
    shape = model.image_shape
    images = arrays.get("x")
    if images is None or images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape or not len(images):
        got = "no array x" if images is None else f"{images.dtype} {list(images.shape)}"
        raise OpenaiError(f"{path}: expected uint8 images [n, {', '.join(map(str, shape))}], got {got}.")
    return images, _labels(arrays.get("y"), path, len(images), model.config.classes)


def _labels(labels, path, n, classes):
    if not classes:
        return None
    if labels is None:
        raise OpenaiError(f"{path}: the model is conditional, so it takes an .npz with labels y beside the images x.")
    if labels.dtype.kind not in "iu" or labels.shape != (n,) or labels.min() < 0 or labels.max() >= classes:
        raise OpenaiError(f"{path}: expected {n} integer labels y from 0 to {classes - 1}.")
    return labels
