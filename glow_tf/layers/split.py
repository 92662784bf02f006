"""Split: half of the channels leave the flow at each level (paper, figure 2b)."""

import keras
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.tensors import scaled, sum_per_example
from glow_tf.layers.zero_layers import ZeroConv3x3
from glow_tf.types import EventShape, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class Split(FlowLayer):
    """Pass on one half of the channels and whiten the other with a Gaussian computed from the first.

    With `z1, z2 = split(x)` and `mean`, `logs` the even and the odd channels of `conv(z1)`:

    | | |
    |---|---|
    | function | `[z1, eps]` with `eps = (z2 - mean) * exp(-logs)` |
    | reverse function | `x = concat(z1, mean + exp(logs) * eps)` |
    | log-determinant | `-sum(logs)` |
    | shapes | `[B, H, W, C] -> [[B, H, W, C/2], [B, H, W, C/2]]` |
    | start | a standard normal: mean 0, logs 0 |

    If `eps` is standard normal, `z2` has the density `N(z2; mean, exp(logs))` of the original code; here the map is
    also exactly invertible.

    Args:
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: the input is not an image, or has an odd number of channels.

    Source: figure 2b of https://arxiv.org/abs/1807.03039, and section 3.6 of https://arxiv.org/abs/1605.08803.

    Example:
        >>> latents, log_det = Split().encode(tf.ones([2, 4, 4, 6]))
        >>> [v.shape for v in latents]
        [TensorShape([2, 4, 4, 3]), TensorShape([2, 4, 4, 3])]
    """

    def build(self, input_shape: ShapeLike) -> None:
        """Make the convolution that gives mean and log standard deviation."""
        super().build(input_shape)
        if self.event_ndims != 3 or self.channels % 2:
            raise ValueError(f"{self.name}: expected images with an even number of channels, got {self.event_shape}.")
        self.conv = ZeroConv3x3(self.channels, dtype=self.compute_dtype, name="conv")
        self.conv.build((None, *self.event_shape[:2], self.channels // 2))

    def _prior(self, z1: Tensor) -> tuple[Tensor, Tensor]:
        h = self.conv(z1)
        return h[..., 0::2], h[..., 1::2]

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[list[Tensor], Tensor]:
        z1, z2 = tf.split(x, 2, axis=-1)
        mean, logs = self._prior(z1)
        return [z1, (z2 - mean) * tf.exp(-logs)], -sum_per_example(logs)

    def _decode(self, z: list[Tensor], condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z1, eps = z
        if not (eps.shape.is_fully_defined() and z1.shape.is_fully_defined()):
            eps = self._of_equal_shape(eps, z1)
        mean, logs = self._prior(z1)
        return tf.concat([z1, mean + tf.exp(logs) * eps], axis=-1), sum_per_example(logs)

    def _of_equal_shape(self, eps: Tensor, z1: Tensor) -> Tensor:
        """Return `eps`, or let the graph fail if its shape is not that of `z1`, with which it could broadcast."""
        message = f"{self.name}.decode: expected latents of one shape"
        equal = tf.debugging.assert_equal(tf.shape(eps), tf.shape(z1), message)
        with tf.control_dependencies([equal]):
            # TensorFlow's optimizer removes a reshape of unknown batch sizes, and XLA the assertion.
            return tf.reshape(eps, tf.shape(z1))

    def encoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the shapes of the two halves."""
        half = (*event_shape[:2], scaled(event_shape[2], 1, 2))
        return [half, half]

    def decoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the shape of the whole for the shapes of its halves."""
        height, width, half = event_shape[0]
        return (height, width, scaled(half, 2))
