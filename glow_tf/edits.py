"""Decode edited latents; an edit whose picture would leave the range of images is shortened until it does not.

Far from the data a flow extrapolates: with affine coupling the decoded values overflow within a few steps, and such a
picture is a black tile. An edit is therefore applied only as far as it gives a picture.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from glow_tf.batched import ProgressBar, chunk_size, index_labels, map_chunks
from glow_tf.errors import DataError
from glow_tf.latents import unflatten_latents
from glow_tf.model import Glow
from glow_tf.overshoot import decode_with_overshoot
from glow_tf.types import Images, TensorLike

MAX_OVERSHOOT = 0.25
"""The greatest mean distance of decoded values from the range [-0.5, 0.5) at which they still count as a picture.

A quarter of the range: samples at temperature 1 of a model trained for a minute stay below a tenth.
"""
BISECTIONS = 6
"""Number of bisection steps for the end of an edit, which is then known to 1/64 of the edit."""

DecodeWithOvershoot: TypeAlias = Callable[[Sequence[TensorLike], np.ndarray | None], tuple[TensorLike, TensorLike]]
"""A function `(eps, labels) -> (images, overshoot)`, such as `decode_with_overshoot` of a model."""


@dataclasses.dataclass(frozen=True, eq=False)
class DecodedEdits:
    """The pictures of edits, and how much of each edit they show.

    Args:
        images: uint8 `[n, H, W, C]`.
        shares: float `[n]`, the share of each edit that was applied; 1 is all of it.
    """

    images: Images
    shares: np.ndarray


def decode_chunks_with_overshoot(
    model: Glow,
    z: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    decode: DecodeWithOvershoot | None = None,
    bar: ProgressBar | None = None,
) -> tuple[Images, np.ndarray]:
    """Decode any number of flat latents with `decode_with_overshoot`, one chunk after another.

    Args:
        model: the model that decodes them.
        z: flat latents `[n, D]`.
        labels: int `[n]` for a conditional model, else None.
        decode: compiled `decode_with_overshoot` of the model; None decodes eagerly.
        bar: progress bar that counts images, or None.

    Returns:
        Images uint8 `[n, H, W, C]`, and their overshoot `[n]`.
    """
    decode = decode or functools.partial(decode_with_overshoot, model)
    overshoots = []

    def decode_chunk(chunk: slice) -> np.ndarray:
        images, excess = decode(unflatten_latents(z[chunk], model), index_labels(labels, chunk))
        overshoots.append(np.asarray(excess))
        return np.asarray(images)

    return map_chunks(decode_chunk, len(z), chunk_size(model), bar), np.concatenate(overshoots)


def is_outside(overshoot: TensorLike) -> np.ndarray:
    """Return whether each `overshoot`, `[n]`, is too large for a picture: bool `[n]`."""
    return ~(np.asarray(overshoot) <= MAX_OVERSHOOT)  # NaN is outside too


def decode_edits(
    model: Glow,
    z: np.ndarray,
    edited: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    decode: DecodeWithOvershoot | None = None,
    bar: ProgressBar | None = None,
) -> DecodedEdits:
    """Decode edited latents; shorten an edit whose picture is outside the range of images.

    Bisection finds the point on the straight line from `z` to `edited` that is furthest from `z` and still gives a
    picture, to 1/64 of the edit.

    Args:
        model: the model that decodes them.
        z: flat latents `[n, D]` of the pictures before the edit.
        edited: flat latents `[n, D]` of the pictures after the edit.
        labels: int `[n]` for a conditional model, else None.
        decode: compiled `decode_with_overshoot` of the model; None decodes eagerly.
        bar: progress bar that counts the edits, or None.

    Returns:
        The pictures and the shares of the edits that they show.

    Raises:
        DataError: the latents differ in their shapes.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
        >>> decode_edits(glow, np.zeros([1, 64], np.float32), np.full([1, 64], 2.4, np.float32)).shares.tolist()
        [0.3125]
    """
    if np.shape(z) != np.shape(edited):
        raise DataError(f"decode_edits: expected latents of one shape, got {np.shape(z)} and {np.shape(edited)}.")
    size = chunk_size(model)
    chunks = [slice(start, start + size) for start in range(0, len(z), size)] or [slice(0, 0)]
    parts = []
    for chunk in chunks:
        parts.append(_decode_chunk(model, z[chunk], edited[chunk], index_labels(labels, chunk), decode))
        if bar is not None:
            bar.update(len(z[chunk]))
    return DecodedEdits(np.concatenate([p.images for p in parts]), np.concatenate([p.shares for p in parts]))


def _decode_chunk(
    model: Glow, z: np.ndarray, edited: np.ndarray, labels: np.ndarray | None, decode: DecodeWithOvershoot | None
) -> DecodedEdits:
    def images_at(shares: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode the edits of some rows up to a share of each; return images and which of them are outside."""
        share = shares[:, None]
        with np.errstate(invalid="ignore", over="ignore"):
            between = z[rows] + share * (edited[rows] - z[rows])
        # At the ends without arithmetic: an edit may be infinite.
        moved = np.select([share == 0, share == 1], [z[rows], edited[rows]], between)
        eps = unflatten_latents(moved.astype(np.float32), model)
        row_labels = index_labels(labels, rows)
        images, excess = decode(eps, row_labels) if decode else decode_with_overshoot(model, eps, row_labels)
        return np.array(images), is_outside(excess)

    shares = np.ones(len(z))
    images, outside = images_at(shares, np.arange(len(z)))
    rows = np.flatnonzero(outside)
    if not len(rows):
        return DecodedEdits(images, shares)
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    images[rows] = images_at(low, rows)[0]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        tried, outside = images_at(middle, rows)
        low, high = np.where(outside, low, middle), np.where(outside, middle, high)
        images[rows[~outside]] = tried[~outside]
    shares[rows] = low
    return DecodedEdits(images, shares)
