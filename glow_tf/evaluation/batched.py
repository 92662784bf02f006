"""A `Glow` over any number of images, a part at a time; latents are flat, `z` `[n, D]` (see `glow_tf.latents`).

`bar`, if there is one, is a progress bar that counts images.
"""

import numpy as np

from glow_tf.latents import flatten_latents, unflatten_latents

PIXELS = 2**17
"""Pixels at once: 128 images of 32x32, two of 256x256."""


def size_of_part(model):
    """Images at once that a model of the paper's size has memory for."""
    height, width, _ = model.image_shape
    return max(1, min(128, PIXELS // (height * width)))


def encode(model, images, labels=None, bar=None):
    """uint8 `[n, H, W, C]` -> `z` float32 `[n, D]`, at the middle of each bin."""

    return flat_latents(model.encode, images, labels, size_of_part(model), bar)


def flat_latents(encode, images, labels=None, size=128, bar=None):
    """`z` `[n, D]` by any `(images, labels) -> eps`, `size` images at once."""

    def part(some):
        return flatten_latents(encode(images[some], take(labels, some)))

    return in_parts(part, len(images), size, bar)


def decode(model, z, labels=None, bar=None):
    """`z` `[n, D]` -> uint8 `[n, H, W, C]`."""

    def part(some):
        return model.decode(unflatten_latents(z[some], model), take(labels, some)).numpy()

    return in_parts(part, len(z), size_of_part(model), bar)


def sample(model, n, temperature, labels=None, seed=0, bar=None):
    """The images of `model.sample(n, temperature, labels, seed=seed)`: the parts change nothing."""
    z = flatten_latents([e.numpy() for e in model.sample_latents(n, temperature, seed=seed)])
    return decode(model, z, labels, bar)


def bits_per_dim(model, images, labels=None, seed=0, bar=None):
    """Bits/dim `[n]` of images at one draw of the dequantisation noise."""
    noise = np.random.default_rng(seed).random(images.shape, np.float32)

    def part(some):
        return model.bits_per_dim(images[some], take(labels, some), noise=noise[some]).numpy()

    return in_parts(part, len(images), size_of_part(model), bar)


def take(labels, some):
    """Some of the labels, where there are any."""
    return None if labels is None else labels[some]


def in_parts(function, n, size, bar=None):
    """`function(slice)` `[size, ...]` of one part of n images after another, as one array `[n, ...]`."""
    parts = []
    for start in range(0, n, size):
        parts.append(function(slice(start, start + size)))
        if bar is not None:
            bar.update(len(parts[-1]))
    return np.concatenate(parts)
