"""Interpolation between images, linear in their latents (paper, section 6)."""

import numpy as np


def between(first, second, weights):
    """Latents between two images.

    Args:
        first, second: lists `eps` of `[n, H, W, C]`.
        weights: floats `[steps]`; 0 is the first image, 1 the second.

    Returns:
        `eps` of `[n * steps, H, W, C]`, the steps of one pair next to each other.
    """
    weights = np.asarray(weights, np.float32)
    mixed = []
    for a, b in zip(first, second, strict=True):
        a, b = np.asarray(a)[:, None], np.asarray(b)[:, None]
        w = weights.reshape(1, -1, *[1] * (a.ndim - 2)).astype(a.dtype)
        mixed.append(((1 - w) * a + w * b).reshape(-1, *a.shape[2:]))
    return mixed


def interpolate(model, first, second, steps, labels=None):
    """Images between two, ends included: uint8 `[n, steps, H, W, C]`.

    Args:
        model: a `Glow`.
        first, second: uint8 `[n, H, W, C]`.
        steps: how many, at least 2.
        labels: int `[n]` of both, for a conditional model.
    """
    eps = between(model.encode(first, labels), model.encode(second, labels), np.linspace(0, 1, steps))
    labels = None if labels is None else np.repeat(labels, steps)
    return model.decode(eps, labels).numpy().reshape(len(first), steps, *model.image_shape)
