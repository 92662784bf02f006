"""Augment one image at random inside `tf.data`, as the original code does."""

import math
from typing import Literal

import tensorflow as tf

from glow_tf.types import Tensor, TensorLike


def augment(
    image: Tensor, level: Literal["none", "shift", "full"], flip: bool, seed: Tensor | tuple[int, int]
) -> Tensor:
    """Augment an image at random as the original code does (Keras's `ImageDataGenerator`, nearest fill mode).

    Args:
        image: uint8 `[H, W, C]`.
        level: `"none"`; `"shift"`: by up to 10 % of height and width; `"full"`: also flips, rotation by up to 15
            degrees, zoom by up to 0.1 (independent for the two axes), shear by up to 0.02 degrees.
        flip: horizontal flips at any level.
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
    assert height is not None  # the shape of a fitted image is static
    assert width is not None
    matrix = _translation(0.1 * height * draws[1], 0.1 * width * draws[2])
    if level == "full":
        radians = math.pi / 180
        matrix = _rotation(15 * radians * draws[3]) @ matrix @ _shear(0.02 * radians * draws[4])
        matrix = matrix @ tf.linalg.diag([1 + 0.1 * draws[5], 1 + 0.1 * draws[6], 1.0])
    center = (height - 1) / 2, (width - 1) / 2
    matrix = _translation(*center) @ matrix @ _translation(-center[0], -center[1])
    return _transform(image, matrix)


def _translation(down: TensorLike, right: TensorLike) -> Tensor:
    return tf.convert_to_tensor([[1.0, 0.0, down], [0.0, 1.0, right], [0.0, 0.0, 1.0]])


def _rotation(angle: Tensor) -> Tensor:
    c, s = tf.cos(angle), tf.sin(angle)
    return tf.convert_to_tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _shear(angle: Tensor) -> Tensor:
    return tf.convert_to_tensor([[1.0, -tf.sin(angle), 0.0], [0.0, tf.cos(angle), 0.0], [0.0, 0.0, 1.0]])


def _transform(image: Tensor, matrix: Tensor) -> Tensor:
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
