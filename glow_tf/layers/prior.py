"""The top prior: the learned, optionally conditional Gaussian of the last latent."""

from typing import Any

import keras
import tensorflow as tf

from glow_tf.arguments import check_count
from glow_tf.labels import labels_of_any_shape, nan_where_invalid
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.tensors import static_size, sum_per_example
from glow_tf.layers.zero_layers import ZeroConv3x3, ZeroDense
from glow_tf.types import Config, ShapeLike, Tensor, TensorLike


@keras.saving.register_keras_serializable("glow_tf")
class TopPrior(FlowLayer):
    """Whiten the top latent `h` with its Gaussian prior, of mean `mean` and standard deviation `exp(logs)`.

    | | |
    |---|---|
    | function | `eps = (h - mean) * exp(-logs)` |
    | reverse function | `h = mean + exp(logs) * eps` |
    | log-determinant | `-sum(logs)` |
    | shapes | `[B, H, W, C] -> [B, H, W, C]` |
    | start | a standard normal: mean 0, logs 0 |

    `mean` and `logs` are the two halves of `conv(0) + dense(one_hot(label))`: the 3x3 convolution sees a map
    of zeros, so only its bias, gain and edge markers have an effect, and the prior differs near the border of the map.

    Args:
        learned: use the convolution (the original's `learntop`).
        classes: number of labels; 0 is unconditional. A conditional prior needs labels, int `[B]` from 0 to
            `classes - 1`, as its `condition`; any other label is an error, and NaN under XLA, which has no errors.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: `classes` is not a count, the input is not an image, or labels are missing for a conditional prior
            or given to an unconditional one.
        DataError: a label is out of range.

    Source: the top level of figure 2b of https://arxiv.org/abs/1807.03039; the form of the prior is that of the
    original code.

    Example:
        >>> prior = TopPrior(classes=10)
        >>> eps, log_det = prior.encode(tf.ones([2, 4, 4, 6]), tf.constant([3, 7]))
        >>> eps.shape, log_det.shape
        (TensorShape([2, 4, 4, 6]), TensorShape([2]))
    """

    is_constant_jacobian = True

    def __init__(self, *, learned: bool = True, classes: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_count(classes, f"{self.name}: classes")
        self.learned, self.classes = learned, classes

    @property
    def takes_condition(self) -> bool:
        """True if there are classes."""
        return self.classes > 0

    def build(self, input_shape: ShapeLike) -> None:
        """Make the convolution and the embedding of the labels, if there are any."""
        super().build(input_shape)
        if self.event_ndims != 3:
            raise ValueError(f"{self.name}: expected images [..., H, W, C], got the event shape {self.event_shape}.")
        if self.learned:
            self.conv = ZeroConv3x3(2 * self.channels, dtype=self.compute_dtype, name="conv")
            self.conv.build((None, *self.event_shape[:2], 2 * self.channels))
        if self.classes:
            self.embedding = ZeroDense(2 * self.channels, dtype=self.compute_dtype, name="embedding")
            self.embedding.build((None, self.classes))

    def mean_and_logs(self, h: Tensor, condition: TensorLike | None = None) -> list[Tensor]:
        """Return mean and log standard deviation for labels `condition`, broadcastable to `h` `[B, H, W, C]`."""
        prior = tf.zeros([1, 1, 1, 2 * static_size(h)], h.dtype)
        if self.learned:
            prior = self.conv.output_for_zeros(tf.shape(h)[1], tf.shape(h)[2])
        labels = labels_of_any_shape(condition, self.classes, self.name)
        if labels is not None:
            one_hot = nan_where_invalid(tf.one_hot(labels, self.classes, dtype=h.dtype), labels)
            prior += self.embedding(one_hot)[:, None, None, :]
        return tf.split(prior, 2, axis=-1)

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, logs = self.mean_and_logs(x, condition)
        return (x - mean) * tf.exp(-logs), -sum_per_example(logs + tf.zeros_like(x))

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, logs = self.mean_and_logs(z, condition)
        return mean + tf.exp(logs) * z, sum_per_example(logs + tf.zeros_like(z))

    def get_config(self) -> Config:
        """Return the options."""
        return {**super().get_config(), "learned": self.learned, "classes": self.classes}
