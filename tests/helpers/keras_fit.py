"""Fit a small `Glow` on digits; `python -m helpers.keras_fit` does so on two logical CPU devices and prints JSON.

That needs a process of its own, since devices are fixed by the first operation.
"""

import json

import keras
import numpy as np
import tensorflow as tf

from glow_tf import Glow
from glow_tf.config import DataConfig, ModelConfig
from glow_tf.data import open_source, pipeline

CONFIG = dict(image_shape=(8, 8, 1), bits=4, levels=2, depth=1, width=8)
ONE_LEVEL = {**CONFIG, "levels": 1}
"""A model that Keras trains alike, and that takes half as long to trace."""


def images_and_labels(n=64):
    """Return `n` digits and their labels."""
    config = DataConfig("bundled:digits")
    return pipeline.arrays(open_source(config, (8, 8, 1)), "train", config, (8, 8, 1), n)[:2]


class BinMiddles(Glow):
    """Replace the noise, which differs by replica, by the middle of each bin."""

    def dequantize(self, images, *, seed=None, noise=None):
        return super().dequantize(images, noise=0.5)


def fit_under(strategy):
    """Return the history and the weights of one training."""
    images, _ = images_and_labels(33)
    with strategy.scope():
        model = BinMiddles(ModelConfig(**ONE_LEVEL))
        model.initialize(images)
        model.compile(keras.optimizers.SGD(0.05))
    # The last batch is a single image: one of two replicas gets none.
    data = tf.data.Dataset.from_tensor_slices(images).batch(16)
    history = model.fit(data, epochs=2, validation_data=data, verbose=0).history
    measured = {
        "evaluate": model.evaluate(data, verbose=0, return_dict=True)["bits_x"],
        "bits_per_dim": float(np.mean(model.bits_per_dim(images))),
    }
    return {**history, **measured, "weights": np.concatenate([w.ravel() for w in model.get_weights()]).tolist()}


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    print(json.dumps(fit_under(strategy)))


if __name__ == "__main__":
    main()
