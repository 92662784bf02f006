"""The network of a coupling of vectors: three dense layers."""

from typing import Any

import keras
import tensorflow as tf

from glow_tf.layers.zero_layers import NetworkLayer, ZeroDense
from glow_tf.types import Config, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class DenseNetwork(NetworkLayer):
    """Compute the shift and scale of a coupling of vectors with three dense layers.

    The layers: dense to `width`, ReLU, dense to `width`, ReLU, dense to `filters`. `[B, in] -> [B, filters]`. The last
    layer is zero at the start, as in section 3.3 of https://arxiv.org/abs/1807.03039, which has no vectors.

    Args:
        filters: output channels.
        width: hidden units.
        seed: seed of the hidden weights (He normal).
        **kwargs: `dtype`, `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64.

    Example:
        >>> DenseNetwork(6, width=32)(tf.ones([2, 3])).shape
        TensorShape([2, 6])
    """

    def __init__(self, filters: int, *, width: int = 512, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.width, self.seed = filters, width, seed
        self.dense_3 = ZeroDense(filters, dtype=self.compute_dtype, name="dense_3")

    def build(self, input_shape: ShapeLike) -> None:
        """Make the weights of the three layers."""

        def normal(offset: int) -> keras.initializers.Initializer:
            return keras.initializers.HeNormal(None if self.seed is None else self.seed + offset)

        self.W_1 = self.add_weight(shape=(input_shape[-1], self.width), initializer=normal(0), name="W_1")
        self.b_1 = self.add_weight(shape=(self.width,), initializer="zeros", name="b_1")
        self.W_2 = self.add_weight(shape=(self.width, self.width), initializer=normal(1), name="W_2")
        self.b_2 = self.add_weight(shape=(self.width,), initializer="zeros", name="b_2")
        if not self.dense_3.built:
            self.dense_3.build((None, self.width))

    def call(self, x: Tensor) -> Tensor:
        """Compute `[B, filters]` for `x` `[B, in]`."""
        h = tf.nn.relu(x @ self.W_1.value + self.b_1.value)
        h = tf.nn.relu(h @ self.W_2.value + self.b_2.value)
        return self.dense_3(h)

    def get_config(self) -> Config:
        """Return the options."""
        return {**super().get_config(), "filters": self.filters, "width": self.width, "seed": self.seed}
