"""Reconstructions `decode(encode(x))`, and images whose fine latents are redrawn."""

import math
from collections.abc import Sequence

import numpy as np

from glow_tf import batched, quantization
from glow_tf.batched import ProgressBar
from glow_tf.evaluation.drawn_images import DrawnImages, decode_images
from glow_tf.latents import flatten_latents
from glow_tf.model import Glow
from glow_tf.pictures import Row, Sheet
from glow_tf.types import Images


def reconstruct(
    model: Glow, images: Images, labels: np.ndarray | None = None, *, bar: ProgressBar | None = None
) -> tuple[Images, int]:
    """Encode and decode images.

    Args:
        model: the model that encodes and decodes.
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        bar: progress bar that counts each image twice, or None.

    Returns:
        `(reconstructions, largest error)`: uint8 `[n, H, W, C]`, and the largest absolute difference from the
        quantized images, in gray levels.

    Example:
        >>> from glow_tf import ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
        >>> reconstruct(glow, np.zeros([3, 8, 8, 1], np.uint8))[1]
        0
    """
    z = batched.encode(model, images, labels, bar=bar)
    reconstructions = batched.decode(model, z, labels, bar=bar)
    expected = quantization.quantize(images, model.config.bits).numpy()
    return reconstructions, int(np.max(np.abs(reconstructions.astype(int) - expected)))


def draw_sheet(
    model: Glow,
    images: Images,
    decoded: Images,
    *,
    subtitle: str = "",
    headings: Sequence[str] = (),
    more_rows: Sequence[Row] = (),
) -> Sheet:
    """Draw images, their reconstructions and the differences of the two, with the largest one below each image.

    Args:
        model: the model, whose quantization is no error.
        images: uint8 `[n, H, W, C]`.
        decoded: their reconstructions.
        subtitle: run and weights.
        headings: what each column shows.
        more_rows: rows below.
    """
    error = np.abs(decoded.astype(int) - quantization.quantize(images, model.config.bits).numpy())
    gain = 255 // max(1, error.max())
    label = f"error, {gain} times enlarged" if error.any() else "error (none)"
    largest = [f"largest {value}" for value in error.max(axis=(1, 2, 3))]
    rows = [
        Row("image", images),
        Row("reconstruction", decoded),
        Row(label, (error * gain).astype(np.uint8), largest),
        *more_rows,
    ]
    return Sheet(rows, "Reconstructions", subtitle, headings)


def float_error(model: Glow, images: Images, labels: np.ndarray | None = None) -> float:
    """Compute the largest difference of `x` and `flow.decode(flow.encode(x))`, floats in [-0.5, 0.5).

    All images are processed at once, so there must be few.
    """
    x = model.dequantize(images, noise=0.5)
    reconstruction, _ = model.flow.decode(model.flow.encode(x, labels)[0], labels)
    return float(np.max(np.abs(reconstruction - x)))


def redraw_levels(
    model: Glow,
    images: Images,
    labels: np.ndarray | None = None,
    *,
    temperature: float = 0.7,
    seed: int = 0,
    bar: ProgressBar | None = None,
) -> list[DrawnImages]:
    """Redraw the latents of the finest levels of images, to show what each level stands for.

    The levels are those of figure 2b of https://arxiv.org/abs/1807.03039.

    Args:
        model: the model that encodes and decodes.
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        temperature: standard deviation of the new latents.
        seed: seed of the new latents.
        bar: progress bar that counts `levels + 2` images for each, or None.

    Returns:
        `levels + 1` rows of n images. Row i keeps the coarsest `levels - i` levels, so row 0 is the reconstruction and
        the last row a plain sample.
    """
    z = batched.encode(model, images, labels, bar=bar)
    fresh = flatten_latents([eps.numpy() for eps in model.sample_latents(len(images), temperature, seed=seed)])
    ends = np.cumsum([0, *(math.prod(shape) for shape in model.latent_shapes)])
    mixed = [np.concatenate([fresh[:, :end], z[:, end:]], axis=1) for end in ends]
    return [decode_images(model, latents, labels, bar=bar) for latents in mixed]
