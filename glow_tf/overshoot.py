"""Decode latents together with the distance of the result to the range of images, which the rounding hides.

An affine model overflows now and then, at temperature 1 in a few of a thousand samples: the values are not finite, and
the rounded image is black.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from glow_tf import quantization
from glow_tf.layers.network import mixed_precision
from glow_tf.model import Glow
from glow_tf.types import Tensor, TensorLike


def overshoot(x: Tensor) -> Tensor:
    """Compute the mean distance of continuous images to the range [-0.5, 0.5).

    Args:
        x: float `[n, H, W, C]`.

    Returns:
        `[n]`, infinite where a value is not finite.

    Example:
        >>> overshoot(np.array([[0.2, 0.75], [0.0, np.nan]], np.float32).reshape(2, 1, 2, 1)).numpy().tolist()
        [0.125, inf]
    """
    distance = tf.reduce_mean(tf.abs(x - tf.clip_by_value(x, -0.5, 0.5)), [1, 2, 3])
    return tf.where(tf.math.is_finite(distance), distance, np.inf)


def decode_with_overshoot(
    model: Glow, eps: Sequence[TensorLike], labels: TensorLike | None = None
) -> tuple[Tensor, Tensor]:
    """Decode latents to images, eagerly or inside a `tf.function`, with the `overshoot` that the rounding hides.

    Args:
        model: the model that decodes them.
        eps: latents `[n, H, W, C]` of each level, finest first.
        labels: int `[n]` for a conditional model, else None.

    Returns:
        Images uint8 `[n, H, W, C]`, and their overshoot `[n]`.
    """
    with mixed_precision(False):
        x, _ = model.flow.decode([tf.convert_to_tensor(e) for e in eps], labels)
    assert not isinstance(x, list)  # an image is one tensor
    return quantization.to_uint8(x, model.config.bits), overshoot(x)
