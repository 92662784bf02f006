"""Decode latents to measure, and tell results that are not finite before the rounding: they are no images."""

import dataclasses

import numpy as np

from glow_tf.batched import ProgressBar
from glow_tf.counts import counted
from glow_tf.edits import DecodeWithOvershoot, decode_chunks_with_overshoot
from glow_tf.latents import flatten_latents
from glow_tf.model import Glow
from glow_tf.pictures.samples import describe_black
from glow_tf.quantization import quantize
from glow_tf.types import Images


@dataclasses.dataclass(frozen=True, eq=False)
class DrawnImages:
    """Images that a model decoded.

    Args:
        images: uint8 `[n, H, W, C]`, those of `glow_tf.batched.decode`.
        finite: bool `[n]`; one that is not finite is black.

    Example:
        >>> drawn = DrawnImages(np.zeros([3, 8, 8, 1], np.uint8), np.array([True, False, True]))
        >>> drawn.finite_images.shape, drawn.non_finite
        ((2, 8, 8, 1), 1)
    """

    images: np.ndarray
    finite: np.ndarray

    @property
    def finite_images(self) -> Images:
        """Return those that are images."""
        return self.images[self.finite]

    def select(self, indices: np.ndarray) -> "DrawnImages":
        """Return some of the images."""
        return DrawnImages(self.images[indices], self.finite[indices])

    @property
    def non_finite(self) -> int:
        """Return the number of those that are not finite."""
        return int(np.sum(~self.finite))


def draw_images(
    model: Glow,
    count: int,
    temperature: float,
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
    decode: DecodeWithOvershoot | None = None,
    bar: ProgressBar | None = None,
) -> DrawnImages:
    """Draw the samples of `glow_tf.batched.sample`.

    Args:
        model: the model that draws them.
        count: n, the number of samples.
        temperature: standard deviation of the latents.
        labels: int `[n]` for a conditional model, else None.
        seed: seed of the latents.
        decode: compiled `decode_with_overshoot` of the model; None decodes eagerly.
        bar: progress bar that counts the samples, or None.
    """
    z = flatten_latents([eps.numpy() for eps in model.sample_latents(count, temperature, seed=seed)])
    return decode_images(model, z, labels, decode=decode, bar=bar)


def decode_images(
    model: Glow,
    z: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    decode: DecodeWithOvershoot | None = None,
    bar: ProgressBar | None = None,
) -> DrawnImages:
    """Decode flat latents `[n, D]`; the other arguments are those of `draw_images`."""
    images, overshoot = decode_chunks_with_overshoot(model, z, labels, decode=decode, bar=bar)
    return DrawnImages(images, np.isfinite(overshoot))


def describe_non_finite(non_finite: int, count: int, consequence: str, noun: str = "sample") -> str:
    """Describe how many images are not finite, and the consequence.

    Example:
        >>> describe_non_finite(1, 1000, "left out")
        '1 of 1,000 samples left out: not finite, so no images'
    """
    return f"{non_finite:,} of {counted(count, noun)} {consequence}: not finite, so no images"


def black_remark(*drawn: DrawnImages) -> str:
    """Return what the subtitle of a sheet says of black tiles, "" if there are none.

    Example:
        >>> black_remark(DrawnImages(np.zeros([2, 8, 8, 1], np.uint8), np.array([True, False])))
        '; 1 black where the model overflows'
    """
    count = sum(images.non_finite for images in drawn)
    return f"; {describe_black(count)}" if count else ""


def as_drawn(images: Images, model: Glow) -> Images:
    """Round real images down to a model's bits, as drawn ones are: else a copy of an image would differ from it."""
    return quantize(images, model.config.bits).numpy()
