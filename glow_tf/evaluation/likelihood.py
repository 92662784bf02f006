"""Bits per dimension: means, standard errors, the importance-weighted bound, shares by level."""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf import quantization
from glow_tf.batched import ProgressBar, chunk_size, index_labels, map_chunks
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.model import Glow, standard_normal_log_prob
from glow_tf.training import devices
from glow_tf.types import Images, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Bits:
    """Bits/dim of a set of images.

    Args:
        values: float64 `[draws, n]`, one row per draw of the dequantization noise.
        dims: D, the number of values of an image.

    Example:
        >>> bits = Bits(np.array([[3.0, 4.0], [3.0, 6.0]]), dims=64)
        >>> bits.mean, bits.error_over_draws, bits.error_over_images
        (4.0, 0.5, 1.0)
    """

    values: np.ndarray
    dims: int

    @property
    def mean(self) -> float:
        """Return the mean over draws and images."""
        return float(self.values.mean())

    @property
    def error_over_draws(self) -> float:
        """Return the standard error of `mean` due to the noise: its spread over other draws."""
        draws = len(self.values)
        return float(self.values.mean(1).std(ddof=1) / math.sqrt(draws)) if draws > 1 else math.nan

    @property
    def error_over_images(self) -> float:
        """Return the standard error of `mean` due to the images: its spread over other test sets of this size."""
        per_image = self.values.mean(0)
        return float(per_image.std(ddof=1) / math.sqrt(len(per_image))) if len(per_image) > 1 else math.nan

    @property
    def importance_weighted(self) -> float:
        """Return the bits/dim of `log mean_k P_k`, the k-draw bound: between `mean` and the true value.

        Burda et al., 2016, https://arxiv.org/abs/1509.00519.
        """
        nats = -self.values * self.dims * math.log(2.0)
        bound = np.logaddexp.reduce(nats, axis=0) - math.log(len(nats))
        return float(np.mean(-bound / (self.dims * math.log(2.0))))

    @property
    def non_finite(self) -> int:
        """Return the number of images whose bits/dim are not finite in some draw."""
        return int(np.sum(~np.isfinite(self.values).all(0)))

    def to_dict(self) -> dict[str, float]:
        """Return the numbers as plain values, for JSON."""
        return {
            "bits_per_dim": self.mean,
            "error_over_draws": self.error_over_draws,
            "error_over_images": self.error_over_images,
            "importance_weighted": self.importance_weighted,
            "draws": len(self.values),
            "images": self.values.shape[1],
        }


def measure(
    context: EvaluationContext,
    model: Glow | None = None,
    *,
    split: str = "test",
    draws: int = 4,
    batch_size: int | None = None,
    limit: int | None = None,
    bar: ProgressBar | None = None,
) -> Bits:
    """Measure the bits/dim of a split, every image once per draw whatever the batch size.

    Args:
        context: the model and its data.
        model: another model than that; None takes the context's.
        split: "train", "validation" or "test".
        draws: draws of the dequantization noise.
        batch_size: images at once, on all devices; None depends on the image size. It is rounded up so that all
            devices take as many.
        limit: number of images, at most, which are spread evenly over the split; None takes all.
        bar: progress bar that counts images, or None.

    Returns:
        The bits/dim of each image and draw.
    """
    glow = model or context.model
    strategy = context.strategy
    replicas = strategy.num_replicas_in_sync
    size = replicas * (math.ceil(batch_size / replicas) if batch_size else chunk_size(glow))

    def bits_of_replica(batch: dict[str, Tensor]) -> Tensor:
        return glow.bits_per_dim(batch["image"], context.model_labels(batch["label"]), noise=batch["noise"])

    @tf.function(autograph=False)
    def bits_per_dim(batch: Any) -> Any:
        return strategy.run(bits_of_replica, args=(batch,))

    def gathered(values: Any) -> np.ndarray:
        """Return the values of all devices, in the order of the batch, as one array."""
        return np.concatenate([value.numpy() for value in strategy.experimental_local_results(values)])

    draw_values = []
    for draw in range(draws):
        batch_values = []
        batches = context.batches(split, batch_size=size, draw=draw, limit=limit)
        for batch in devices.distribute(strategy, lambda *_, batches=batches: batches, size):
            values = gathered(bits_per_dim(batch)).astype(np.float64)
            batch_values.append(values[gathered(batch["weight"]) > 0])
            if bar is not None:
                bar.update(len(batch_values[-1]))
        draw_values.append(np.concatenate(batch_values))
    return Bits(np.stack(draw_values), glow.config.dims)


def by_level(
    model: Glow, images: Images, labels: np.ndarray | None = None, *, seed: int = 0, bar: ProgressBar | None = None
) -> list[float]:
    """Divide the mean bits/dim of images among the levels, at one draw of the dequantization noise.

    A level's share is the cost of its own latents, with the log-determinants of its layers.

    Args:
        model: the model that measures them.
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        seed: seed of the noise.
        bar: progress bar that counts the images, or None.

    Returns:
        The share of each level, finest first; their sum is the mean bits/dim.

    Example:
        >>> from glow_tf import ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=2, depth=1, width=4))
        >>> len(by_level(glow, np.zeros([3, 8, 8, 1], np.uint8)))
        2
    """
    noise = np.random.default_rng(seed).random(images.shape, np.float32)

    def measure_chunk(chunk: slice) -> np.ndarray:
        return _level_bits(model, images[chunk], index_labels(labels, chunk), noise[chunk])

    return map_chunks(measure_chunk, len(images), chunk_size(model), bar).mean(0).tolist()


def _level_bits(model: Glow, images: Images, labels: np.ndarray | None, noise: np.ndarray) -> np.ndarray:
    """Compute bits/dim by image and level, float64 `[n, levels]`."""
    flow, dims, bits = model.flow, model.config.dims, model.config.bits
    x, level_bits = model.dequantize(images, noise=noise), []
    for level in range(flow.levels):
        x, _ = flow.squeeze(level).encode(x)
        total = 0.0
        for step in flow.steps(level):
            x, log_det = step.encode(x)
            total += log_det
        if split := flow.split(level):
            (x, eps), log_det = split.encode(x)
        else:
            eps, log_det = flow.prior.encode(x, labels)
        latent_dims = math.prod(model.latent_shapes[level])
        nats = total + log_det + standard_normal_log_prob([eps]) - latent_dims * bits * math.log(2.0)
        level_bits.append(quantization.bits_per_dim(nats, (dims,)).numpy().astype(np.float64))
    return np.stack(level_bits, axis=1)
