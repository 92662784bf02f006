"""The Fréchet distance between samples and real images, in whitened features of random convolutions.

The Fréchet inception distance (FID; Heusel et al., 2017, https://arxiv.org/abs/1706.08500) takes the features of a
network that was trained on ImageNet. Those here are of an untrained network, as in Naeem et al., 2020
(https://arxiv.org/abs/2002.09797), so nothing is downloaded. The distance is no FID: its scale is another, and it is
only comparable with distances of the same data set and number of images.
"""

import dataclasses
import itertools
import math

import numpy as np
import scipy.linalg
import tensorflow as tf

from glow_tf.batched import ProgressBar, map_chunks
from glow_tf.counts import counted
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation.drawn_images import as_drawn, draw_images
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.model import Glow
from glow_tf.types import Images

CHANNELS = (32, 64)
"""Channels of the first convolution, and of the others; the latter is the number of features."""
LAST_SIDE = 4
"""Height and width, about, of what the last convolution gives."""
MIN_VARIANCE = 1e-3
"""The variance, in units of the mean one, from which on a principal component of the features is enlarged to 1."""
MAX_CHUNK_IMAGES = 256
MAX_TRAINING_IMAGES = 10_000
MAX_TEST_IMAGES = 5_000
MAX_NON_FINITE = 0.01
"""The share of samples that may be left out because they are not finite; affine coupling overflows now and then."""
MIN_IMAGES = 2 * CHANNELS[-1]
"""Images of a set, at least: the covariance of no more images than features is singular."""


class RandomFeatures:
    """Features of images: the channel means after random convolutions, whitened on real images.

    Convolutions of 3x3 pixels and ReLUs follow each other, the first of stride 1 and the others of stride 2. Weights
    are normal with variance 2 / (inputs of a unit). Without the whitening, one direction close to the brightness of an
    image has most of the variance.

    Args:
        images: uint8 `[n, H, W, C]`, real images; their features have about the covariance I.
        seed: seed of the weights.

    Raises:
        DataError: all images have the same features.

    Example:
        >>> images = np.random.default_rng(0).integers(256, size=(200, 8, 8, 1), dtype=np.uint8)
        >>> features = RandomFeatures(images)
        >>> features(images).shape, round(float(features(images)[:, 0].std()), 1)
        ((200, 64), 1.0)
    """

    def __init__(self, images: Images, seed: int = 0) -> None:
        self._mean, self._deviation = float(images.mean()), max(float(images.std()), 1.0)
        strides = max(1, round(math.log2(min(images.shape[1:3]) / LAST_SIDE)))
        channels = [images.shape[-1], CHANNELS[0], *[CHANNELS[1]] * strides]
        rng = np.random.default_rng(seed)
        self._kernels = [
            (rng.normal(size=(3, 3, inputs, outputs)) * np.sqrt(2 / (9 * inputs))).astype(np.float32)
            for inputs, outputs in itertools.pairwise(channels)
        ]
        self._whitening = np.eye(channels[-1])
        variances, directions = scipy.linalg.eigh(np.cov(self(images), rowvar=False))
        smallest = MIN_VARIANCE * variances.mean()
        if not smallest > 1e-12:
            raise DataError(f"the training images ({len(images):,}) are all alike; a Fréchet distance needs others.")
        self._whitening = directions[:, ::-1] / np.sqrt(np.maximum(variances[::-1], smallest))

    def __call__(self, images: Images) -> np.ndarray:
        """Compute the features of images uint8 `[n, H, W, C]`: float64 `[n, 64]`."""
        means = map_chunks(lambda chunk: self._compute(images[chunk]), len(images), MAX_CHUNK_IMAGES)
        return means.astype(np.float64) @ self._whitening

    def _compute(self, images: Images) -> np.ndarray:
        x = (tf.cast(images, tf.float32) - self._mean) / self._deviation
        for i, kernel in enumerate(self._kernels):
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=2 if i else 1, padding="SAME"))
        return tf.reduce_mean(x, [1, 2]).numpy()


@dataclasses.dataclass(frozen=True)
class FrechetDistances:
    """Fréchet distances to training images.

    Args:
        samples: the distance of samples.
        real: the distance of as many real test images, which the samples of a perfect model would have.
        count: number of samples, and of test images.
        non_finite: number of samples that were left out because they were not finite.
        training_images: number of training images.
    """

    samples: float
    real: float
    count: int
    non_finite: int
    training_images: int

    @property
    def ratio(self) -> float:
        """Return the distance of the samples in units of that of the test images."""
        return self.samples / self.real if self.real else math.inf


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the squared Fréchet distance `|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))` of two sets.

    The fewer the rows, the greater is the distance of two sets of one distribution, as their covariances are noisy.

    Args:
        a: finite features `[n, d]`, with mean `m_a` and covariance `S_a`.
        b: finite features `[m, d]`.

    Raises:
        DataError: features are not finite, or their shapes do not fit.

    Example:
        >>> a = np.array([[-1.0], [0.0], [1.0]])
        >>> frechet_distance(a, 2 * a + 3)  # (3 - 0)^2 + (2 - 1)^2
        10.0
    """
    a, b = _checked_features(a, "a"), _checked_features(b, "b")
    if a.shape[1] != b.shape[1]:
        raise DataError(f"frechet_distance: expected equal numbers of features, got {a.shape[1]} and {b.shape[1]}.")
    root_a, root_b = _covariance_root(a), _covariance_root(b)
    # The trace of (S_a S_b)^(1/2) is the sum of the singular values of S_a^(1/2) S_b^(1/2).
    traces = np.sum(root_a**2) + np.sum(root_b**2) - 2 * np.sum(scipy.linalg.svdvals(root_a @ root_b))
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + max(traces, 0.0))


def measure_frechet(
    context: EvaluationContext,
    *,
    count: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    bar: ProgressBar | None = None,
) -> FrechetDistances:
    """Measure the Fréchet distances of samples, and of as many test images, to training images.

    All images are rounded to the bits of the model, so that a distance does not measure the rounding.

    Args:
        context: a model and its data.
        count: number of samples and of test images; None is that of `sample_count`.
        temperature: temperature of the samples; those of a conditional model have the classes of training images.
        seed: seed of the samples and of their classes.
        bar: progress bar that counts samples, or None.

    Raises:
        ConfigError: there are fewer than `count` test images.
        DataError: there are too few test images, or too many samples that are not finite.
    """
    count, model = sample_count(context, count), context.model
    train_images, train_labels, _ = context.spread_arrays("train", MAX_TRAINING_IMAGES)
    classes = train_labels[np.random.default_rng(seed).integers(len(train_labels), size=count)]
    samples = draw_finite(model, count, temperature, context.model_labels(classes), seed=seed, bar=bar)
    non_finite = count - len(samples)
    test_images = context.spread_arrays("test", len(samples))[0]
    samples = samples[: len(test_images)]  # damaged test images may have been left out
    images = {"train": train_images, "real": test_images, "samples": samples}
    images = {name: as_drawn(values, model) for name, values in images.items()}
    compute_features = RandomFeatures(images["train"])
    features = {name: compute_features(values) for name, values in images.items()}
    return FrechetDistances(
        samples=frechet_distance(features["samples"], features["train"]),
        real=frechet_distance(features["real"], features["train"]),
        count=len(samples),
        non_finite=non_finite,
        training_images=len(train_images),
    )


def sample_count(context: EvaluationContext, count: int | None = None) -> int:
    """Return the number of samples to draw: `count`, or the number of test images, at most `MAX_TEST_IMAGES`.

    Raises:
        ConfigError: there are fewer than `count` test images.
        DataError: there are fewer than `MIN_IMAGES` test images.
    """
    available = context.source.size("test")
    if available < MIN_IMAGES:
        raise DataError(
            f"{context.source.name} has {counted(available, 'test image')}; the covariance of {CHANNELS[-1]} features "
            f"needs at least {MIN_IMAGES}."
        )
    if count is not None and count > available:
        raise ConfigError(
            f"--count: expected at most {available}, the number of test images, as samples are measured beside as "
            f"many test images, got {count}."
        )
    return min(available, MAX_TEST_IMAGES) if count is None else count


def draw_finite(
    model: Glow,
    count: int,
    temperature: float,
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
    bar: ProgressBar | None = None,
) -> Images:
    """Draw samples, and leave out those that are not finite before the rounding.

    Raises:
        DataError: these are more than the share `MAX_NON_FINITE`.
    """
    drawn = draw_images(model, count, temperature, labels, seed=seed, bar=bar)
    if drawn.non_finite > MAX_NON_FINITE * count:
        raise DataError(
            f"{drawn.non_finite} of {count} samples at temperature {temperature:g} are not finite, so they are no "
            "images; lower --temperature or train longer."
        )
    return drawn.finite_images


def _checked_features(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or len(values) < 2 or not values.shape[1]:
        raise DataError(f"{name}: expected features [n, d] of two images or more, got {list(values.shape)}.")
    bad = int(np.sum(~np.isfinite(values).all(1)))
    if bad:
        raise DataError(f"{name}: expected finite features, got {bad} of {len(values)} rows that are not.")
    return values


def _covariance_root(values: np.ndarray) -> np.ndarray:
    """Return the symmetric square root `[d, d]` of the covariance of features `[n, d]`."""
    variances, directions = scipy.linalg.eigh(np.atleast_2d(np.cov(values, rowvar=False)))
    return (directions * np.sqrt(np.maximum(variances, 0))) @ directions.T
