"""A user's own image files, as images of a model."""

import numpy as np

from glow_tf.data import images
from glow_tf.data.files import DamagedRecord
from glow_tf.data.folder import read_image
from glow_tf.evaluation.subject import EvaluationError


def own_images(paths, image_shape):
    """Image files as uint8 `[n, H, W, C]`: the shorter side resized, the centre cropped."""
    try:
        return np.stack([images.fit(read_image(path), image_shape, "resize").numpy() for path in paths])
    except DamagedRecord as error:
        raise EvaluationError(f"{error}.") from error
    except ValueError as error:
        raise EvaluationError(f"expected image files, got none ({error}).") from error
