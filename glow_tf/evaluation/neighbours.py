"""The training images nearest to samples: the check that samples are no copies."""

import numpy as np
from sklearn.neighbors import NearestNeighbors


def nearest(samples, images, count=3):
    """The `count` images nearest to each sample by Euclidean distance of pixels: uint8 `[n, count, H, W, C]`."""
    search = NearestNeighbors(n_neighbors=min(count, len(images)))
    search.fit(images.reshape(len(images), -1).astype(np.float32))
    return images[search.kneighbors(samples.reshape(len(samples), -1).astype(np.float32), return_distance=False)]
