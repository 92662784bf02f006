"""Run a `Glow` over any number of images, in chunks that fit in memory.

Latents are flat, `z` `[n, D]` (see `glow_tf.latents`). `bar` is a progress bar that counts images, or None.
"""

import numpy as np

from glow_tf.labels import labels_per_image
from glow_tf.latents import flatten_latents, unflatten_latents

CHUNK_PIXELS = 2**17
"""Pixels per chunk: 128 images of 32x32, two of 256x256."""
MAX_CHUNK_IMAGES = 128


def chunk_size(model):
    """Return the number of images per chunk that a model of the paper's size has memory for."""
    height, width, _ = model.image_shape
    return max(1, min(MAX_CHUNK_IMAGES, CHUNK_PIXELS // (height * width)))


def encode(model, images, labels=None, *, bar=None):
    """Encode uint8 images `[n, H, W, C]` to `z` float32 `[n, D]`, at the middle of each bin."""
    return flat_latents(model.encode, images, _label_array(model, labels, len(images)), chunk_size(model), bar)


def flat_latents(encode, images, labels=None, size=MAX_CHUNK_IMAGES, bar=None):
    """Encode images to `z` `[n, D]` by a function `(images, labels) -> eps`, `size` images per chunk."""

    def encode_chunk(chunk):
        return flatten_latents(encode(images[chunk], index_labels(labels, chunk)))

    return map_chunks(encode_chunk, len(images), size, bar)


def decode(model, z, labels=None, *, bar=None):
    """Decode `z` `[n, D]` to uint8 images `[n, H, W, C]`."""

    labels = _label_array(model, labels, len(z))

    def decode_chunk(chunk):
        return model.decode(unflatten_latents(z[chunk], model), index_labels(labels, chunk)).numpy()

    return map_chunks(decode_chunk, len(z), chunk_size(model), bar)


def sample(model, n, temperature, labels=None, *, seed=0, bar=None):
    """Draw the images of `model.sample(n, temperature, labels, seed=seed)`; the chunks do not change them."""
    z = flatten_latents([eps.numpy() for eps in model.sample_latents(n, temperature, seed=seed)])
    return decode(model, z, labels, bar=bar)


def bits_per_dim(model, images, labels=None, *, seed=0, bar=None):
    """Compute bits/dim `[n]` of images at one draw of the dequantization noise."""
    labels = _label_array(model, labels, len(images))
    noise = np.random.default_rng(seed).random(images.shape, np.float32)

    def measure_chunk(chunk):
        return model.bits_per_dim(images[chunk], index_labels(labels, chunk), noise=noise[chunk]).numpy()

    return map_chunks(measure_chunk, len(images), chunk_size(model), bar)


def index_labels(labels, index):
    """Return `labels[index]`, or None without labels."""
    return None if labels is None else labels[index]


def _label_array(model, labels, n):
    """Return one label per image, checked for all images at once: a chunk of one could be broadcast by accident."""
    if labels is None:
        return None  # which a conditional model refuses itself
    return labels_per_image(labels, model.config.classes, n, "Glow").numpy()


def map_chunks(function, n, size, bar=None):
    """Apply a function to one chunk of n images after another and concatenate the results.

    Args:
        function: maps a slice to an array with one entry per index of the slice.
        n: number of images.
        size: images per chunk.
        bar: progress bar that counts images, or None.

    Returns:
        Array `[n, ...]`.
    """
    results = []
    for start in range(0, max(n, 1), size):  # once for no images, which gives the shape of no results
        results.append(function(slice(start, start + size)))
        if bar is not None:
            bar.update(len(results[-1]))
    return np.concatenate(results)
