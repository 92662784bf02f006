"""Bits per dimension: means, standard errors, the importance-weighted bound, shares by level."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from glow_tf import quantization
from glow_tf.evaluation.batched import in_parts, size_of_part, take


@dataclasses.dataclass(frozen=True)
class Bits:
    """Bits/dim of a set of images.

    Args:
        values: float64 `[draws, n]`, one row per draw of the dequantisation noise.
        dims: D, the number of values of an image.
    """

    values: np.ndarray
    dims: int

    @property
    def mean(self):
        return float(self.values.mean())

    @property
    def error_over_draws(self):
        """Standard error of `mean` from the draws alone: what another draw of noise would change."""
        draws = len(self.values)
        return float(self.values.mean(1).std(ddof=1) / math.sqrt(draws)) if draws > 1 else math.nan

    @property
    def error_over_images(self):
        """Standard error of `mean` from the images: what another test set of this size would change."""
        per_image = self.values.mean(0)
        return float(per_image.std(ddof=1) / math.sqrt(len(per_image))) if len(per_image) > 1 else math.nan

    @property
    def importance_weighted(self):
        """Bits/dim of `log mean_k P_k`, the k-draw bound: between `mean` and the truth (Burda et al., 2016)."""
        nats = -self.values * self.dims * math.log(2.0)
        bound = np.logaddexp.reduce(nats, axis=0) - math.log(len(nats))
        return float(np.mean(-bound / (self.dims * math.log(2.0))))

    def to_dict(self):
        return {
            "bits_per_dim": self.mean,
            "error_over_draws": self.error_over_draws,
            "error_over_images": self.error_over_images,
            "importance_weighted": self.importance_weighted,
            "draws": len(self.values),
            "images": self.values.shape[1],
        }


def measure(subject, model=None, *, split="test", draws=4, batch_size=None, limit=None, bar=None):
    """`Bits` of a split, every image once per draw whatever the batch size."""
    model = model or subject.model
    batch_size = batch_size or size_of_part(model)

    @tf.function(autograph=False)
    def bits(image, label, noise):
        return model.bits_per_dim(image, subject.labels(label), noise=noise)

    rows = []
    for draw in range(draws):
        found = []
        for batch in subject.batches(split, batch_size, draw, limit):
            values = bits(batch["image"], batch["label"], batch["noise"]).numpy().astype(np.float64)
            found.append(values[batch["weight"].numpy() > 0])
            if bar is not None:
                bar.update(len(found[-1]))
        rows.append(np.concatenate(found)[:limit])
    return Bits(np.stack(rows), model.config.dims)


def by_level(model, images, labels=None, seed=0, bar=None):
    """How the bits/dim of images are shared among the levels: float `[levels]`, which sums up to their mean bits/dim.

    A level's share is what its own latents cost, with the log-determinants of its layers, at one draw of the
    dequantisation noise.
    """
    noise = np.random.default_rng(seed).random(images.shape, np.float32)

    def part(some):
        return _shares(model, images[some], take(labels, some), noise[some])

    return in_parts(part, len(images), size_of_part(model), bar).mean(0).tolist()


def _shares(model, images, labels, noise):
    """Bits/dim by image and level, float64 `[n, levels]`."""
    flow, dims, bits = model.flow, model.config.dims, model.config.bits
    x, shares = model.dequantize(images, noise=noise), []
    for level in range(flow.levels):
        x, _ = flow.squeeze(level).encode(x)
        total = 0.0
        for step in flow.steps(level):
            x, log_det = step.encode(x)
            total += log_det
        if flow.split(level):
            (x, eps), log_det = flow.split(level).encode(x)
        else:
            eps, log_det = flow.prior.encode(x, labels)
        normal = -0.5 * tf.reduce_sum(tf.square(eps) + math.log(2 * math.pi), [1, 2, 3])
        nats = total + log_det + normal - math.prod(eps.shape[1:]) * bits * math.log(2.0)
        shares.append(quantization.bits_per_dim(nats, (dims,)).numpy().astype(np.float64))
    return np.stack(shares, axis=1)
