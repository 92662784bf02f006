"""Samples: their bits/dim, and the training images nearest to them, which show that samples are no copies."""

import dataclasses

import numpy as np
from sklearn.neighbors import NearestNeighbors

from glow_tf import batched

MAX_SEARCH_IMAGES = 20_000
MAX_SEARCH_VALUES = 10**8
"""Values of training images to search, at most: 508 images of 256x256 in color."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Samples at one temperature.

    Args:
        images: uint8 `[n, H, W, C]`.
        bits: bits/dim, float `[n]`, at one draw of the dequantization noise.
    """

    images: np.ndarray
    bits: np.ndarray


def draw_samples(model, count, temperatures, labels=None, *, seed=0, bar=None):
    """Draw samples from the same latents at several temperatures and measure their bits/dim.

    Returns:
        Dictionary of temperature -> `Samples`.
    """
    result = {}
    for temperature in dict.fromkeys(temperatures):
        images = batched.sample(model, count, temperature, labels, seed=seed, bar=bar)
        result[temperature] = Samples(images, batched.bits_per_dim(model, images, labels, seed=seed, bar=bar))
    return result


def search_limit(dims):
    """Return the number of training images of D = `dims` to search for nearest ones."""
    return min(MAX_SEARCH_IMAGES, max(1, MAX_SEARCH_VALUES // dims))


def nearest_images(samples, images, count=3):
    """Find the `count` images nearest to each sample.

    Args:
        samples: uint8 `[n, H, W, C]`.
        images: uint8 `[m, H, W, C]`.
        count: number of images per sample.

    Returns:
        `(nearest, distances)`: uint8 `[n, count, H, W, C]` and float `[n, count]`, the root mean square difference
        of pixels in gray levels.
    """
    search = NearestNeighbors(n_neighbors=min(count, len(images))).fit(_flatten(images))
    distances, indices = search.kneighbors(_flatten(samples))
    return images[indices], distances / np.sqrt(samples[0].size)


def _flatten(images):
    return images.reshape(len(images), -1).astype(np.float32)
