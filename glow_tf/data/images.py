"""What is done to one decoded image: channels, size, augmentation. All on uint8 `[h, w, c]`, inside `tf.data`."""

import math

import tensorflow as tf

from glow_tf.data.source import DataError


def with_channels(image, channels):
    """Grey to colour by repetition, colour to grey by luminance (ITU-R 601); alpha is dropped."""
    if image.shape[-1] == channels:
        return image
    coloured = tf.shape(image)[-1] >= 3
    rgb = tf.gather(image, tf.where(coloured, [0, 1, 2], [0, 0, 0]), axis=-1)
    return rgb if channels == 3 else tf.where(coloured, tf.image.rgb_to_grayscale(rgb), image[..., :1])


def fit(image, image_shape, how, seed=None, valid=True):
    """An image of any size as `image_shape` (see `DataConfig.fit`).

    Args:
        image: uint8 `[h, w, c]`.
        image_shape: `(H, W, C)`.
        how: `"exact"`, `"pad"`, `"resize"`, `"crop"` or `"random_crop"`.
        seed: int `[2]` of the random crop; None crops at the centre.
        valid: whether there is an image at all; else the result is black.
    """
    height, width, channels = image_shape
    if valid is not True:
        image = tf.cond(valid, lambda: image, lambda: tf.zeros(image_shape, tf.uint8))
    image = with_channels(image, channels)
    if how == "resize":
        image = _resize(image, height, width)
    if how == "pad":
        size = tf.shape(image)
        top, left = (height - size[0]) // 2, (width - size[1]) // 2
        image = tf.pad(image, [[top, height - size[0] - top], [left, width - size[1] - left], [0, 0]])
    elif how != "exact":
        room = tf.shape(image)[:2] - [height, width]
        if how == "random_crop" and seed is not None:
            top, left = tf.unstack(
                tf.cast(tf.random.stateless_uniform([2], seed) * tf.cast(room + 1, tf.float32), tf.int32)
            )
        else:
            top, left = tf.unstack(room // 2)
        image = image[top : top + height, left : left + width]
    return tf.ensure_shape(image, image_shape)


def check_size(shape, image_shape, config):
    """A `DataError` if images of that shape cannot be fitted as configured."""
    height, width = shape[:2]
    fits = {
        "exact": (height, width) == tuple(image_shape[:2]),
        "pad": height <= image_shape[0] and width <= image_shape[1],
        "resize": True,
        "crop": height >= image_shape[0] and width >= image_shape[1],
        "random_crop": height >= image_shape[0] and width >= image_shape[1],
    }
    if not fits[config.fit]:
        raise DataError(
            f"{config.source}: an image is {height}x{width}, the model takes {image_shape[0]}x{image_shape[1]}, and "
            f"fit={config.fit} cannot change it; choose --fit pad, resize, crop or random_crop, or another size."
        )


def _resize(image, height, width):
    """The shorter side resized by area to fill `height` x `width`; the longer one is cropped afterwards."""
    size = tf.shape(image)
    scale = tf.maximum(height / size[0], width / size[1])
    target = tf.cast(tf.math.ceil(tf.cast(size[:2], tf.float64) * scale - 1e-6), tf.int32)
    resized = tf.image.resize(image[None], target, method="area")[0]
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def augment(image, level, flip, seed):
    """The original's random augmentation (Keras's `ImageDataGenerator`, edges filled with the nearest pixel).

    Args:
        image: uint8 `[H, W, C]`.
        level: `"none"`; `"shift"`: by up to 10 % of height and width; `"full"`: also flips, rotation by up to 15
            degrees, zoom by up to 0.1 (each axis its own), shear by up to 0.02 degrees.
        flip: horizontal flips at any level.
        seed: int `[2]`; the same seed augments alike.
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
    centre = (height - 1) / 2, (width - 1) / 2
    matrix = _translation(*centre) @ matrix @ _translation(-centre[0], -centre[1])
    return _transform(image, matrix)


def _translation(down, right):
    return tf.convert_to_tensor([[1.0, 0.0, down], [0.0, 1.0, right], [0.0, 0.0, 1.0]])


def _rotation(angle):
    c, s = tf.cos(angle), tf.sin(angle)
    return tf.convert_to_tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _shear(angle):
    return tf.convert_to_tensor([[1.0, -tf.sin(angle), 0.0], [0.0, tf.cos(angle), 0.0], [0.0, 0.0, 1.0]])


def _transform(image, matrix):
    """Output pixel (row, column) takes the value at `matrix @ (row, column, 1)`, by linear interpolation."""
    (a, b, c), (d, e, f), _ = (tf.unstack(row) for row in tf.unstack(matrix))
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[None],
        transforms=tf.stack([e, d, f, b, a, c, 0.0, 0.0])[None],  # the operation counts (x, y)
        output_shape=image.shape[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )[0]
    return tf.cast(tf.clip_by_value(tf.round(moved), 0, 255), tf.uint8)
