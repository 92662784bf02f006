"""Fit one image, uint8 `[h, w, c]`, to the channels and the size of a model's, inside `tf.data`.

The comments `pyright: ignore` are for arguments that TensorFlow takes and its stubs leave out.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf

from glow_tf.config import DataConfig
from glow_tf.counts import counted
from glow_tf.errors import DataError
from glow_tf.fields import setting
from glow_tf.types import ImageShape, Tensor

FitMode: TypeAlias = Literal["exact", "pad", "resize", "crop", "random_crop"]
"""How an image of another size is fitted (see `DataConfig.fit`)."""

MAX_RESIZED_PIXELS = 2**26
"""Pixels of an image after it was resized and before it is cropped, at most; a narrow strip would take all memory."""


def with_channels(image: Tensor, channels: int) -> Tensor:
    """Convert an image to 1 or 3 channels.

    Gray is repeated, color becomes luminance (ITU-R 601), and alpha is dropped. An image of another number of channels
    is left as it is (see `check_shape`).
    """
    if image.shape[-1] == channels or channels not in (1, 3):
        return image
    is_color = tf.shape(image)[-1] >= 3
    rgb = tf.gather(image, tf.where(is_color, [0, 1, 2], [0, 0, 0]), axis=-1)
    if channels == 3:
        return rgb
    first = image[..., :1]  # pyright: ignore[reportArgumentType]
    return tf.where(is_color, tf.image.rgb_to_grayscale(rgb), first)


def fit(
    image: Tensor | np.ndarray,
    image_shape: ImageShape,
    mode: FitMode,
    seed: Tensor | tuple[int, int] | None = None,
    valid: Tensor | bool = True,
) -> Tensor:
    """Fit an image of any size to the shape of a model's images.

    Args:
        image: uint8 `[h, w, c]`.
        image_shape: the shape of the result.
        mode: how an image of another size is fitted.
        seed: int `[2]`, for the random crop; None crops the center.
        valid: bool scalar, False if there is no image; the result is then black.

    Returns:
        uint8 `[H, W, C]`.

    Example:
        >>> fit(np.zeros([10, 12, 3], np.uint8), (8, 8, 1), "resize").shape
        TensorShape([8, 8, 1])
    """
    height, width, channels = image_shape
    fitted = tf.convert_to_tensor(image)
    if fitted.shape == tuple(image_shape):  # as it is at every step where the source is an array or a cache
        return fitted
    if valid is not True:
        fitted = tf.cond(valid, lambda: image, lambda: tf.zeros(image_shape, tf.uint8))
    fitted = with_channels(fitted, channels)
    if mode == "pad":
        fitted = _pad(fitted, height, width)
    elif mode == "resize":
        fitted = _crop(_resize(fitted, height, width), height, width)
    elif mode != "exact":
        fitted = _crop(fitted, height, width, seed if mode == "random_crop" else None)
    return tf.ensure_shape(fitted, image_shape)


def check_shape(shape: Sequence[int], image_shape: ImageShape, config: DataConfig) -> None:
    """Raise a `DataError` if images of that shape cannot be fitted as configured, or are no pictures.

    Pictures are gray, RGB or RGBA (1, 3, 4 channels); other channels must be those of the model.

    Args:
        shape: `(h, w, c)` of an image.
        image_shape: `(H, W, C)` of the model.
        config: the configuration that says how images are fitted.
    """
    height, width, channels = shape
    if channels != image_shape[2] and not (channels in (1, 3, 4) and image_shape[2] in (1, 3)):
        raise DataError(
            f"{config.source}: an image has {counted(channels, 'channel')}, the model {image_shape[2]}, and only gray "
            f"and RGB are converted into each other; expected {counted(image_shape[2], 'channel')}."
        )
    is_large_enough = height >= image_shape[0] and width >= image_shape[1]
    fits = {
        "exact": (height, width) == tuple(image_shape[:2]),
        "pad": height <= image_shape[0] and width <= image_shape[1],
        "resize": True,
        "crop": is_large_enough,
        "random_crop": is_large_enough,
    }
    if not fits[config.fit]:
        remedies = [setting("fit", mode) for mode in ("pad", "crop", "resize") if fits[mode]]
        raise DataError(
            f"{config.source}: an image is {height}x{width}, the model takes {image_shape[0]}x{image_shape[1]}, and "
            f"fit={config.fit} cannot change it; take {' or '.join(remedies)}, or images of another size."
        )
    scale = max(image_shape[0] / height, image_shape[1] / width)
    if config.fit == "resize" and height * width * scale**2 > MAX_RESIZED_PIXELS:
        raise DataError(
            f"{config.source}: an image is {height}x{width}, and resizing it to cover the model's "
            f"{image_shape[0]}x{image_shape[1]} makes {height * scale:.0f}x{width * scale:.0f} pixels; leave such "
            "narrow images out."
        )


def shape_check(image_shape: ImageShape, config: DataConfig) -> Callable[[Sequence[int]], None]:
    """Return `check_shape` as a function of the shape of an image alone."""
    return functools.partial(check_shape, image_shape=image_shape, config=config)


def _pad(image: Tensor, height: int, width: int) -> Tensor:
    """Add zeros around an image."""
    size = tf.shape(image)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    paddings = [[top, height - size[0] - top], [left, width - size[1] - left], [0, 0]]
    return tf.pad(image, paddings)  # pyright: ignore[reportArgumentType]


def _resize(image: Tensor, height: int, width: int) -> Tensor:
    """Resize an image by area to the smallest size of its aspect ratio that covers `height` x `width`."""
    size = tf.shape(image)
    scale = tf.maximum(height / size[0], width / size[1])
    target = tf.cast(tf.math.ceil(tf.cast(size[:2], tf.float64) * scale - 1e-6), tf.int32)
    resized = tf.image.resize(image[None], target, method="area")[0]
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _crop(image: Tensor, height: int, width: int, seed: Tensor | tuple[int, int] | None = None) -> Tensor:
    """Crop an image at the center, or at random if there is a seed."""
    margin = tf.shape(image)[:2] - [height, width]
    if seed is None:
        top, left = tf.unstack(margin // 2)
    else:
        offset = tf.random.stateless_uniform([2], seed) * tf.cast(margin + 1, tf.float32)
        top, left = tf.unstack(tf.cast(offset, tf.int32))
    return image[top : top + height, left : left + width]
