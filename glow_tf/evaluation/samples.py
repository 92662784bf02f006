"""Samples: their bits/dim, and the training images nearest to them, which show that samples are no copies."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import NearestNeighbors

from glow_tf import batched
from glow_tf.batched import ProgressBar
from glow_tf.evaluation.drawn_images import DrawnImages, draw_images
from glow_tf.model import Glow
from glow_tf.types import Images

MAX_SEARCH_IMAGES = 20_000
MAX_SEARCH_VALUES = 10**8
"""Values of training images to search, at most: 508 images of 256x256 in color."""


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Samples at one temperature.

    Args:
        drawn: the samples.
        bits: bits/dim, float `[n]`, at one draw of the dequantization noise.
    """

    drawn: DrawnImages
    bits: np.ndarray

    @property
    def images(self) -> Images:
        """Return all samples, uint8 `[n, H, W, C]`."""
        return self.drawn.images

    def mean_bits(self) -> float:
        """Return the mean bits/dim of the finite samples; NaN if there is none."""
        finite = self.bits[self.drawn.finite]
        return float(finite.mean()) if len(finite) else math.nan


def draw_samples(
    model: Glow,
    count: int,
    temperatures: Sequence[float],
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
    bar: ProgressBar | None = None,
) -> dict[float, Samples]:
    """Draw samples from the same latents at several temperatures and measure their bits/dim.

    Args:
        model: the model that draws and measures them.
        count: n, the number of samples at each temperature.
        temperatures: standard deviations of the latents.
        labels: int `[n]` for a conditional model, else None.
        seed: seed of the latents and of the dequantization noise.
        bar: progress bar that counts each sample twice, or None.

    Returns:
        The samples by temperature.
    """
    result = {}
    for temperature in dict.fromkeys(temperatures):
        drawn = draw_images(model, count, temperature, labels, seed=seed, bar=bar)
        result[temperature] = Samples(drawn, batched.bits_per_dim(model, drawn.images, labels, seed=seed, bar=bar))
    return result


def search_limit(dims: int) -> int:
    """Return the number of training images of D = `dims` to search for nearest ones."""
    return min(MAX_SEARCH_IMAGES, max(1, MAX_SEARCH_VALUES // dims))


def nearest_images(samples: Images, images: Images, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Find the `count` images nearest to each sample.

    Args:
        samples: uint8 `[n, H, W, C]`.
        images: uint8 `[m, H, W, C]`.
        count: number of images per sample.

    Returns:
        `(nearest, distances)`: uint8 `[n, count, H, W, C]` and float `[n, count]`, the root mean square difference
        of pixels in gray levels.

    Example:
        >>> images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones([8, 8, 1], np.uint8)
        >>> nearest, distances = nearest_images(images[:1], images[2:], count=2)
        >>> nearest.shape, distances.tolist()
        ((1, 2, 8, 8, 1), [[2.0, 3.0]])
    """
    search = NearestNeighbors(n_neighbors=min(count, len(images))).fit(_flatten(images))
    distances, indices = search.kneighbors(_flatten(samples))
    return images[indices], distances / np.sqrt(samples[0].size)


def _flatten(images: Images) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32)
