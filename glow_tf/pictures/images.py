"""Images as arrays: grids, enlargement, PNG."""

import io
import math
import pathlib

import numpy as np
from PIL import Image

from glow_tf.io import write_bytes
from glow_tf.types import Images

BACKGROUND = 255
"""Gray level around the images."""

MIN_TILE_SIDE = 64
"""Smaller images are enlarged by a whole factor to at least this many pixels a side."""


def grid(images: Images, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Return images row by row as one image `[height, width, C]`.

    Args:
        images: uint8 `[n, H, W, C]`.
        columns: images per row; None makes the grid about as many images high as wide.
        gap: pixels between images.

    Example:
        >>> grid(np.zeros([4, 8, 8, 1], np.uint8)).shape
        (18, 18, 1)
    """
    images = as_gray_or_color(np.asarray(images))
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    page = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), BACKGROUND, np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        page[y : y + height, x : x + width] = image
    return page


def enlarged(images: Images, side: int = MIN_TILE_SIDE) -> Images:
    """Return small images enlarged by a whole factor, each pixel a square of one color, as the page shows them.

    Args:
        images: uint8 `[n, H, W, C]`.
        side: pixels that the shorter side has at least.

    Example:
        >>> enlarged(np.zeros([2, 28, 28, 1], np.uint8)).shape
        (2, 84, 84, 1)
    """
    images = np.asarray(images)
    factor = math.ceil(side / min(images.shape[1:3]))
    return images if factor == 1 else images.repeat(factor, axis=1).repeat(factor, axis=2)


def as_gray_or_color(images: np.ndarray) -> np.ndarray:
    """Return images `[..., H, W, C]` with 1 or 3 channels; any others become gray images that lie side by side."""
    channels = images.shape[-1]
    return images if channels in (1, 3) else np.concatenate(np.split(images, channels, axis=-1), axis=-2)


def rgb(image: np.ndarray) -> np.ndarray:
    """Return an image `[H, W, C]` as uint8 `[H, W, 3]`, or wider (see `as_gray_or_color`)."""
    image = as_gray_or_color(np.asarray(image))
    return np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.uint8)


def png(image: np.ndarray) -> bytes:
    """Return a uint8 image `[H, W, C]` as the bytes of a PNG.

    Example:
        >>> png(np.zeros([8, 8, 1], np.uint8))[1:4]
        b'PNG'
    """
    data = io.BytesIO()
    Image.fromarray(rgb(image)).save(data, format="PNG")
    return data.getvalue()


def save_png(path: pathlib.Path | str, image: np.ndarray) -> None:
    """Write a uint8 image `[H, W, C]` as a PNG.

    Raises:
        RunError: the file cannot be written.
    """
    write_bytes(path, png(image))
