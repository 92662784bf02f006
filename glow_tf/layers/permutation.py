"""Fixed permutations of the channels, and a factory for them and the 1x1 convolution (paper, section 3.2)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.host_variables import value_of
from glow_tf.layers.invertible_conv import InvertibleConv1x1
from glow_tf.types import Config, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class Shuffle(FlowLayer):
    """Permute the channels by a fixed random order, for the ablation.

    | | |
    |---|---|
    | function | `z_i = x_indices[i]` |
    | reverse function | `x_indices[i] = z_i` |
    | log-determinant | 0 |
    | shapes | `[B, ..., C] -> [B, ..., C]`; `indices` int32 `[C]`, saved with the weights |

    Args:
        seed: seed of the order.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.

    Source: sections 3.2 and 5 of https://arxiv.org/abs/1807.03039.

    Example:
        >>> layer = Shuffle(seed=0)
        >>> z, log_det = layer.encode(tf.constant([[1.0, 2.0, 3.0]]))
        >>> sorted(z[0].numpy().tolist()), layer.decode(z)[0].numpy().tolist()
        ([1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]])
    """

    is_constant_jacobian = is_permutation = True
    _fixed_arrays = ("indices",)

    def __init__(self, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, input_shape: ShapeLike) -> None:
        """Draw the order."""
        super().build(input_shape)
        with tf.init_scope():
            order = np.asarray(keras.initializers.RandomUniform(seed=self.seed)((self.channels,), "float32"))
        indices = np.argsort(order).astype("int32")
        self.indices = self.add_weight(
            shape=(self.channels,), dtype="int32", trainable=False, initializer=lambda *_, **__: indices, name="indices"
        )

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return tf.gather(x, value_of(self.indices), axis=-1), tf.zeros(tf.shape(x)[:1], x.dtype)

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        inverse = tf.argsort(value_of(self.indices))
        return tf.gather(z, inverse, axis=-1), tf.zeros(tf.shape(z)[:1], z.dtype)

    def get_config(self) -> Config:
        """Return the options."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("glow_tf")
class Reverse(FlowLayer):
    """Reverse the order of the channels, for the ablation; the layer is its own inverse.

    | | |
    |---|---|
    | function, reverse function | `z_i = x_{C - 1 - i}` |
    | log-determinant | 0 |
    | shapes | `[B, ..., C] -> [B, ..., C]` |

    Args:
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64, or a value has other channels than the layer.

    Source: sections 3.2 and 5 of https://arxiv.org/abs/1807.03039.

    Example:
        >>> Reverse().encode(tf.constant([[1.0, 2.0, 3.0]]))[0].numpy().tolist()
        [[3.0, 2.0, 1.0]]
    """

    is_constant_jacobian = is_permutation = True

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return tf.reverse(x, [-1]), tf.zeros(tf.shape(x)[:1], x.dtype)

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._encode(z)


def make_permutation(kind: str, seed: int | None = None, **kwargs: Any) -> InvertibleConv1x1 | Shuffle | Reverse:
    """Make a permutation layer.

    Args:
        kind: `"1x1"`, `"lu"` (the 1x1 convolution's LU form), `"shuffle"` or `"reverse"`.
        seed: seed of its random weights or order.
        **kwargs: options of `FlowLayer`.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind in ("1x1", "lu"):
        return InvertibleConv1x1(lu=kind == "lu", seed=seed, **kwargs)
    if kind == "shuffle":
        return Shuffle(seed=seed, **kwargs)
    if kind == "reverse":
        return Reverse(**kwargs)
    raise ValueError(f"permutation: expected '1x1', 'lu', 'shuffle' or 'reverse', got {kind!r}.")
