"""Preprocessing of one image inside `tf.data`: channels, size, augmentation. All on uint8 `[h, w, c]`."""

import functools
import math

import tensorflow as tf

from glow_tf.errors import DataError

MAX_RESIZED_PIXELS = 2**26
"""Pixels of an image after it was resized and before it is cropped, at most; a narrow strip would take all memory."""


def with_channels(image, channels):
    """Convert an image to 1 or 3 channels.

    Gray is repeated, color becomes luminance (ITU-R 601), and alpha is dropped. An image of another number of channels
    is left as it is (see `check_shape`).
    """
    if image.shape[-1] == channels or channels not in (1, 3):
        return image
    is_color = tf.shape(image)[-1] >= 3
    rgb = tf.gather(image, tf.where(is_color, [0, 1, 2], [0, 0, 0]), axis=-1)
    return rgb if channels == 3 else tf.where(is_color, tf.image.rgb_to_grayscale(rgb), image[..., :1])


def fit(image, image_shape, mode, seed=None, valid=True):
    """Fit an image of any size to `image_shape` (see `DataConfig.fit`).

    Args:
        image: uint8 `[h, w, c]`.
        image_shape: `(H, W, C)`.
        mode: `"exact"`, `"pad"`, `"resize"`, `"crop"` or `"random_crop"`.
        seed: int `[2]`, for the random crop; None crops the center.
        valid: bool scalar, False if there is no image; the result is then black.

    Returns:
        uint8 `[H, W, C]`.
    """
    height, width, channels = image_shape
    if image.shape == tuple(image_shape):  # as it is at every step where the source is an array or a cache
        return tf.convert_to_tensor(image)
    if valid is not True:
        image = tf.cond(valid, lambda: image, lambda: tf.zeros(image_shape, tf.uint8))
    image = with_channels(image, channels)
    if mode == "pad":
        image = _pad(image, height, width)
    elif mode == "resize":
        image = _crop(_resize(image, height, width), height, width)
    elif mode != "exact":
        image = _crop(image, height, width, seed if mode == "random_crop" else None)
    return tf.ensure_shape(image, image_shape)


def check_shape(shape, image_shape, config):
    """Raise a `DataError` if images of that shape cannot be fitted as configured, or are no pictures.

    Pictures are gray, RGB or RGBA (1, 3, 4 channels); other channels must be those of the model.

    Args:
        shape: `(h, w, c)` of an image.
        image_shape: `(H, W, C)` of the model.
        config: a `DataConfig`.
    """
    height, width, channels = shape
    if channels != image_shape[2] and not (channels in (1, 3, 4) and image_shape[2] in (1, 3)):
        raise DataError(
            f"{config.source}: an image has {channels} channels, the model {image_shape[2]}, and only gray and RGB are "
            f"converted into each other; expected {image_shape[2]} channels."
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
        raise DataError(
            f"{config.source}: an image is {height}x{width}, the model takes {image_shape[0]}x{image_shape[1]}, and "
            f"fit={config.fit} cannot change it; choose --fit pad, resize, crop or random_crop, or another size."
        )
    scale = max(image_shape[0] / height, image_shape[1] / width)
    if config.fit == "resize" and height * width * scale**2 > MAX_RESIZED_PIXELS:
        raise DataError(
            f"{config.source}: an image is {height}x{width}, and resizing it to cover the model's "
            f"{image_shape[0]}x{image_shape[1]} makes {height * scale:.0f}x{width * scale:.0f} pixels; leave such "
            "narrow images out."
        )


def shape_check(image_shape, config):
    """Return `check_shape` as a function of the shape of an image alone."""
    return functools.partial(check_shape, image_shape=image_shape, config=config)


def augment(image, level, flip, seed):
    """Augment an image at random as the original code does (Keras's `ImageDataGenerator`, nearest fill mode).

    Args:
        image: uint8 `[H, W, C]`.
        level: `"none"`; `"shift"`: by up to 10 % of height and width; `"full"`: also flips, rotation by up to 15
            degrees, zoom by up to 0.1 (independent for the two axes), shear by up to 0.02 degrees.
        flip: bool, horizontal flips at any level.
        seed: int `[2]`; the result is a function of the image and the seed.

    Returns:
        uint8 `[H, W, C]`.
    """
    if level == "none" and not flip:
        return image
    draws = tf.random.stateless_uniform([7], seed, -1.0, 1.0)
    if level == "full" or flip:
        image = tf.cond(draws[0] > 0, lambda: image[:, ::-1], lambda: image)
    if level == "none":
        return image
    height, width = image.shape[:2]
    matrix = _translation(0.1 * height * draws[1], 0.1 * width * draws[2])
    if level == "full":
        radians = math.pi / 180
        matrix = _rotation(15 * radians * draws[3]) @ matrix @ _shear(0.02 * radians * draws[4])
        matrix = matrix @ tf.linalg.diag([1 + 0.1 * draws[5], 1 + 0.1 * draws[6], 1.0])
    center = (height - 1) / 2, (width - 1) / 2
    matrix = _translation(*center) @ matrix @ _translation(-center[0], -center[1])
    return _transform(image, matrix)


def _pad(image, height, width):
    """Add zeros around an image."""
    size = tf.shape(image)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return tf.pad(image, [[top, height - size[0] - top], [left, width - size[1] - left], [0, 0]])


def _resize(image, height, width):
    """Resize an image by area to the smallest size of its aspect ratio that covers `height` x `width`."""
    size = tf.shape(image)
    scale = tf.maximum(height / size[0], width / size[1])
    target = tf.cast(tf.math.ceil(tf.cast(size[:2], tf.float64) * scale - 1e-6), tf.int32)
    resized = tf.image.resize(image[None], target, method="area")[0]
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _crop(image, height, width, seed=None):
    """Crop an image at the center, or at random if there is a seed."""
    margin = tf.shape(image)[:2] - [height, width]
    if seed is None:
        top, left = tf.unstack(margin // 2)
    else:
        offset = tf.random.stateless_uniform([2], seed) * tf.cast(margin + 1, tf.float32)
        top, left = tf.unstack(tf.cast(offset, tf.int32))
    return image[top : top + height, left : left + width]


def _translation(down, right):
    return tf.convert_to_tensor([[1.0, 0.0, down], [0.0, 1.0, right], [0.0, 0.0, 1.0]])


def _rotation(angle):
    c, s = tf.cos(angle), tf.sin(angle)
    return tf.convert_to_tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _shear(angle):
    return tf.convert_to_tensor([[1.0, -tf.sin(angle), 0.0], [0.0, tf.cos(angle), 0.0], [0.0, 0.0, 1.0]])


def _transform(image, matrix):
    """Set each output pixel (row, column) to the value at `matrix @ (row, column, 1)`, by linear interpolation."""
    (a, b, c), (d, e, f), _ = (tf.unstack(row) for row in tf.unstack(matrix))
    transformed = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[None],
        transforms=tf.stack([e, d, f, b, a, c, 0.0, 0.0])[None],  # the operation takes (x, y) = (column, row)
        output_shape=image.shape[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )[0]
    return tf.cast(tf.clip_by_value(tf.round(transformed), 0, 255), tf.uint8)
