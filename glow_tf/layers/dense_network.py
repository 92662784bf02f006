"""The network of a coupling of vectors: three dense layers."""

import keras
import tensorflow as tf

from glow_tf.layers.zero_layers import NetworkLayer, ZeroDense


@keras.saving.register_keras_serializable("glow_tf")
class DenseNetwork(NetworkLayer):
    """Network of a coupling of vectors: dense to `width`, ReLU, dense to `width`, ReLU, dense to `filters`.

    `[B, in] -> [B, filters]`; the last layer is zero at the start, as that of `CouplingNetwork`.

    Args:
        filters: output channels.
        width: hidden units.
        seed: seed of the hidden weights (He normal).

    Example:
        >>> DenseNetwork(6, width=32)(tf.ones([2, 3])).shape
        TensorShape([2, 6])
    """

    def __init__(self, filters, *, width=512, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.width, self.seed = filters, width, seed
        self.dense_3 = ZeroDense(filters, dtype=self.compute_dtype, name="dense_3")

    def build(self, input_shape):
        def normal(offset):
            return keras.initializers.HeNormal(None if self.seed is None else self.seed + offset)

        self.W_1 = self.add_weight(shape=(input_shape[-1], self.width), initializer=normal(0), name="W_1")
        self.b_1 = self.add_weight(shape=(self.width,), initializer="zeros", name="b_1")
        self.W_2 = self.add_weight(shape=(self.width, self.width), initializer=normal(1), name="W_2")
        self.b_2 = self.add_weight(shape=(self.width,), initializer="zeros", name="b_2")
        if not self.dense_3.built:
            self.dense_3.build((None, self.width))

    def call(self, x):
        h = tf.nn.relu(x @ self.W_1.value + self.b_1.value)
        h = tf.nn.relu(h @ self.W_2.value + self.b_2.value)
        return self.dense_3(h)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "width": self.width, "seed": self.seed}
