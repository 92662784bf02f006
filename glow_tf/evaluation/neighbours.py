"""The training images nearest to samples: the check that samples are no copies."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

VALUES = 10**8
"""Values of training images that are searched at most: 100,000 images of 32x32, 508 of 256x256 in colour."""


def search_limit(dims):
    """How many training images of D = `dims` are searched."""
    return min(20_000, max(1, VALUES // dims))


def nearest(samples, images, count=3):
    """The `count` images nearest to each sample.

    Args:
        samples: uint8 `[n, H, W, C]`.
        images: uint8 `[m, H, W, C]`.

    Returns:
        `(uint8 [n, count, H, W, C], float [n, count])`: the images, and the root mean square difference of pixels to
        each, in grey levels.
    """
    search = NearestNeighbors(n_neighbors=min(count, len(images))).fit(_flat(images))
    distances, found = search.kneighbors(_flat(samples))
    return images[found], distances / np.sqrt(samples[0].size)


def _flat(images):
    return images.reshape(len(images), -1).astype(np.float32)
