"""Train a Glow with `keras.Model.fit`, in ten lines: `python examples/keras_fit.py`."""

import keras
import numpy as np
from sklearn.datasets import load_digits

from glow_tf import Glow, ModelConfig
from glow_tf.optimizers import Adamax

images = np.minimum(load_digits().images, 15).astype(np.uint8)[..., None] * 16
glow = Glow(ModelConfig(image_shape=(8, 8, 1), bits=4, levels=2, depth=4, width=32))
glow.initialize(images[:256])
glow.compile(Adamax(1e-3))
glow.fit(images, batch_size=64, epochs=3, callbacks=[keras.callbacks.TerminateOnNaN()])
glow.save("digits.keras")
print(f"{np.mean(glow.bits_per_dim(images, seed=0)):.3f} bits/dim, saved as digits.keras")
