"""Run a `Glow` over any number of images, in chunks that fit in memory.

Latents are flat, `z` `[n, D]` (see `glow_tf.latents`).

Example:
    >>> from glow_tf import Glow, ModelConfig
    >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
    >>> images = np.zeros([3, 8, 8, 1], np.uint8)
    >>> z = encode(glow, images)
    >>> z.shape, decode(glow, z).shape, bits_per_dim(glow, images).shape
    ((3, 64), (3, 8, 8, 1), (3,))
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from glow_tf.labels import labels_per_image
from glow_tf.latents import flatten_latents, unflatten_latents
from glow_tf.model import Glow
from glow_tf.types import Images, TensorLike

CHUNK_PIXELS = 2**17
"""Pixels per chunk: 128 images of 32x32, two of 256x256."""
MAX_CHUNK_IMAGES = 128


class ProgressBar(Protocol):
    """A progress bar that counts images, such as tqdm's."""

    def update(self, count: int, /) -> object:
        """Add `count` images that are done."""


def chunk_size(model: Glow) -> int:
    """Return the number of images per chunk that a model of the paper's size has memory for."""
    height, width, _ = model.image_shape
    return max(1, min(MAX_CHUNK_IMAGES, CHUNK_PIXELS // (height * width)))


def encode(
    model: Glow, images: Images, labels: TensorLike | None = None, *, bar: ProgressBar | None = None
) -> np.ndarray:
    """Encode images to flat latents, at the middle of each bin of quantization.

    Args:
        model: the model that encodes them.
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        bar: progress bar that counts the images, or None.

    Returns:
        `z`, `[n, D]` in the dtype of the model.

    Raises:
        DataError: the images or labels are not those of the model.
    """
    return flat_latents(model.encode, images, _label_array(model, labels, len(images)), chunk_size(model), bar)


def flat_latents(
    encode: Callable[..., Sequence[TensorLike]],
    images: Images,
    labels: np.ndarray | None = None,
    size: int = MAX_CHUNK_IMAGES,
    bar: ProgressBar | None = None,
) -> np.ndarray:
    """Encode images to flat latents by a function.

    Args:
        encode: function `(images, labels) -> eps`.
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        size: images per chunk.
        bar: progress bar that counts the images, or None.

    Returns:
        `z`, `[n, D]`.
    """

    def encode_chunk(chunk: slice) -> np.ndarray:
        return flatten_latents(encode(images[chunk], index_labels(labels, chunk)))

    return map_chunks(encode_chunk, len(images), size, bar)


def decode(model: Glow, z: np.ndarray, labels: TensorLike | None = None, *, bar: ProgressBar | None = None) -> Images:
    """Decode flat latents to images.

    Args:
        model: the model that decodes them.
        z: floats `[n, D]`.
        labels: int `[n]` for a conditional model, else None.
        bar: progress bar that counts the images, or None.

    Returns:
        uint8 `[n, H, W, C]`.

    Raises:
        DataError: the latents or labels are not those of the model.
    """
    label_array = _label_array(model, labels, len(z))

    def decode_chunk(chunk: slice) -> np.ndarray:
        return model.decode(unflatten_latents(z[chunk], model), index_labels(label_array, chunk)).numpy()

    return map_chunks(decode_chunk, len(z), chunk_size(model), bar)


def sample(
    model: Glow,
    n: int,
    temperature: float,
    labels: TensorLike | None = None,
    *,
    seed: int = 0,
    bar: ProgressBar | None = None,
) -> Images:
    """Draw the images of `model.sample(n, temperature, labels, seed=seed)`; the chunks do not change them.

    The latents of all images are drawn at once, 4 bytes per value of an image in float32; decoding is in chunks.

    Args:
        model: the model that draws them.
        n: number of images.
        temperature: standard deviation of the latents.
        labels: int `[n]` for a conditional model, else None.
        seed: seed of the latents.
        bar: progress bar that counts the images, or None.

    Returns:
        uint8 `[n, H, W, C]`.
    """
    z = flatten_latents([eps.numpy() for eps in model.sample_latents(n, temperature, seed=seed)])
    return decode(model, z, labels, bar=bar)


def bits_per_dim(
    model: Glow,
    images: Images,
    labels: TensorLike | None = None,
    *,
    seed: int = 0,
    bar: ProgressBar | None = None,
) -> np.ndarray:
    """Compute the bits/dim of images at one draw of the dequantization noise.

    Args:
        model: the model that measures them.
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        seed: seed of the noise.
        bar: progress bar that counts the images, or None.

    Returns:
        float32 `[n]`.

    Raises:
        DataError: the images or labels are not those of the model.
    """
    label_array = _label_array(model, labels, len(images))
    rng = np.random.default_rng(seed)  # which draws the same numbers however they are divided among calls

    def measure_chunk(chunk: slice) -> np.ndarray:
        noise = rng.random(images[chunk].shape, np.float32)
        return model.bits_per_dim(images[chunk], index_labels(label_array, chunk), noise=noise).numpy()

    return map_chunks(measure_chunk, len(images), chunk_size(model), bar)


def index_labels(labels: np.ndarray | None, index: Any) -> np.ndarray | None:
    """Return `labels[index]`, or None without labels."""
    return None if labels is None else labels[index]


def _label_array(model: Glow, labels: TensorLike | None, n: int) -> np.ndarray | None:
    """Return one label per image, checked for all images at once: a chunk of one could be broadcast by accident."""
    if labels is None:
        return None  # which a conditional model refuses itself
    vector = labels_per_image(labels, model.config.classes, n, "Glow")
    assert vector is not None  # an unconditional model has refused the labels
    return vector.numpy()


def map_chunks(
    function: Callable[[slice], np.ndarray], n: int, size: int, bar: ProgressBar | None = None
) -> np.ndarray:
    """Apply a function to one chunk of n images after another and concatenate the results.

    Args:
        function: function of a slice that returns an array with one entry per index of the slice.
        n: number of images.
        size: images per chunk.
        bar: progress bar that counts images, or None.

    Returns:
        `[n, ...]`.

    Example:
        >>> map_chunks(lambda chunk: np.arange(5)[chunk] ** 2, n=5, size=2).tolist()
        [0, 1, 4, 9, 16]
    """
    results = []
    for start in range(0, max(n, 1), size):  # once for no images, which gives the shape of no results
        results.append(function(slice(start, start + size)))
        if bar is not None:
            bar.update(len(results[-1]))
    return np.concatenate(results)
