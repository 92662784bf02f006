"""A user's own image files, as images of a model."""

import pathlib

import numpy as np

from glow_tf.data import images
from glow_tf.data.files import DamagedRecord
from glow_tf.data.folder import ENDINGS, read_image
from glow_tf.evaluation.checks import EvaluationError


def own_images(paths, image_shape):
    """Image files as uint8 `[n, H, W, C]`: the shorter side resized, the centre cropped."""
    try:
        return np.stack([images.fit(read_image(path), image_shape, "resize").numpy() for path in paths])
    except DamagedRecord as error:
        raise EvaluationError(f"{error}.") from error


def image_files(folder):
    """The image files in a folder, sorted by name; an `EvaluationError` if there are none."""
    folder = pathlib.Path(folder).expanduser()
    if not folder.is_dir():
        raise EvaluationError(f"there is no folder {folder}.")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS)
    if not found:
        raise EvaluationError(f"no images ({', '.join(ENDINGS)}) in {folder}.")
    return found
