"""Squeeze: trades space for channels (paper, figure 2b)."""

from typing import Any

import keras
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.tensors import scaled
from glow_tf.types import EventShape, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class Squeeze(FlowLayer):
    """Turn each 2x2 block of positions into channels.

    | | |
    |---|---|
    | function | channel `4c + 2i + j` of `z` is channel `c` of `x` at row parity `i`, column parity `j` |
    | reverse function | the inverse reordering |
    | log-determinant | 0 |
    | shapes | `[B, H, W, C] -> [B, H/2, W/2, 4C]`, H and W even |

    This is the original code's order of channels; `tf.nn.space_to_depth` has another order.

    Args:
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: the input is not an image, or its height or width is odd.

    Source: figure 2b of https://arxiv.org/abs/1807.03039, and section 3.6 of https://arxiv.org/abs/1605.08803.

    Example:
        >>> z, log_det = Squeeze().encode(tf.reshape(tf.range(4.0), [1, 2, 2, 1]))
        >>> z.numpy().tolist()
        [[[[0.0, 1.0, 2.0, 3.0]]]]
    """

    is_constant_jacobian = is_permutation = True

    def build(self, input_shape: ShapeLike) -> None:
        """Check that the input is an image of even height and width."""
        super().build(input_shape)
        if self.event_ndims != 3:
            raise ValueError(f"{self.name}: expected images [..., H, W, C], got {self.event_shape}.")
        self._check_even(self.event_shape)

    def _check_even(self, event_shape: ShapeLike) -> None:
        if any(size is not None and size % 2 for size in event_shape[:2]):
            raise ValueError(f"{self.name}: expected images with even height and width, got {tuple(event_shape)}.")

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._check_even(x.shape[1:])
        # With -1 in place of the batch, odd sizes that only the graph knows could give another number of images.
        batch, height, width, channels = _sizes(x)
        z = tf.reshape(x, [batch, height // 2, 2, width // 2, 2, channels])
        z = tf.reshape(tf.transpose(z, [0, 1, 3, 5, 2, 4]), [batch, height // 2, width // 2, 4 * channels])
        return z, tf.zeros(tf.shape(x)[:1], x.dtype)

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        batch, height, width, channels = _sizes(z)
        x = tf.reshape(z, [batch, height, width, channels // 4, 2, 2])
        x = tf.reshape(tf.transpose(x, [0, 1, 4, 2, 5, 3]), [batch, 2 * height, 2 * width, channels // 4])
        return x, tf.zeros(tf.shape(z)[:1], z.dtype)

    def encoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return `(H/2, W/2, 4C)`."""
        height, width, channels = event_shape
        return (scaled(height, 1, 2), scaled(width, 1, 2), scaled(channels, 4))

    def decoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return `(2H, 2W, C/4)`."""
        height, width, channels = event_shape
        return (scaled(height, 2), scaled(width, 2), scaled(channels, 1, 4))


def _sizes(x: Tensor) -> list[Any]:
    """Return the sizes of all axes, each as an int where it is known, else as a scalar tensor."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]
