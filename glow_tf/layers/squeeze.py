"""Squeeze: trades space for channels (paper, section 3.6 and figure 2b)."""

import keras
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.tensors import scaled


@keras.saving.register_keras_serializable("glow_tf")
class Squeeze(FlowLayer):
    """Squeeze: turns each 2x2 block of positions into channels.

    | | |
    |---|---|
    | function | channel `4c + 2i + j` of `z` is channel `c` of `x` at row parity `i`, column parity `j` |
    | reverse function | the same reordering backwards |
    | log-determinant | 0 |
    | shapes | `[B, H, W, C] -> [B, H/2, W/2, 4C]`, H and W even |

    `tf.nn.space_to_depth` orders the channels otherwise; this is the original code's order.
    """

    is_constant_jacobian = is_permutation = True

    def build(self, input_shape):
        super().build(input_shape)
        if self.event_ndims != 3:
            raise ValueError(f"{self.name}: expected images [..., H, W, C], got {self.event_shape}.")
        self._check_even(self.event_shape)

    def _check_even(self, event_shape):
        if any(size is not None and size % 2 for size in event_shape[:2]):
            raise ValueError(f"{self.name}: expected images with even height and width, got {tuple(event_shape)}.")

    def _encode(self, x, condition=None):
        self._check_even(x.shape[1:])
        # With -1 in place of the batch, odd sizes that only the graph knows could give another number of images.
        batch, height, width, channels = _sizes(x)
        z = tf.reshape(x, [batch, height // 2, 2, width // 2, 2, channels])
        z = tf.reshape(tf.transpose(z, [0, 1, 3, 5, 2, 4]), [batch, height // 2, width // 2, 4 * channels])
        return z, tf.zeros(tf.shape(x)[:1], x.dtype)

    def _decode(self, z, condition=None):
        batch, height, width, channels = _sizes(z)
        x = tf.reshape(z, [batch, height, width, channels // 4, 2, 2])
        x = tf.reshape(tf.transpose(x, [0, 1, 4, 2, 5, 3]), [batch, 2 * height, 2 * width, channels // 4])
        return x, tf.zeros(tf.shape(z)[:1], z.dtype)

    def encoded_shape(self, event_shape):
        height, width, channels = event_shape
        return (scaled(height, 1, 2), scaled(width, 1, 2), scaled(channels, 4))

    def decoded_shape(self, event_shape):
        height, width, channels = event_shape
        return (scaled(height, 2), scaled(width, 2), scaled(channels, 1, 4))


def _sizes(x):
    """Return the sizes of all axes, each as an int where it is known, else as a scalar tensor."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]
