"""Fit a density to points in the plane with flow layers alone: `python examples/density_2d.py`, about 20 seconds.

The data are two half-moons. Actnorm, 1x1 convolution and coupling act on vectors; the coupling network is a small Keras
model.
"""

import keras
import matplotlib
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from sklearn.datasets import make_moons

from glow_tf import ActNorm, Coupling, FlowSequential, InvertibleConv1x1

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BATCH_SIZE = 256
STEPS = 1200

tfd = tfp.distributions
keras.utils.set_random_seed(0)


def flow_step(seed):
    """Return the layers of one flow step on vectors of two numbers."""
    network = keras.Sequential(
        [
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(2, kernel_initializer="zeros"),
        ]
    )
    return [ActNorm(), InvertibleConv1x1(seed=seed), Coupling(network=network)]


points = make_moons(20_000, noise=0.06, random_state=0)[0].astype(np.float32)
batches = tf.data.Dataset.from_tensor_slices(points).shuffle(len(points), seed=0).repeat().batch(BATCH_SIZE)
flow = FlowSequential([layer for i in range(8) for layer in flow_step(i)])
flow.initialize(points[:BATCH_SIZE])
moons = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), 2), flow.as_bijector([2]))
optimizer = keras.optimizers.Adam(1e-3)


@tf.function
def train_step(batch):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(moons.log_prob(batch))
    weights = flow.trainable_variables
    gradients = tape.gradient(loss, [w.value for w in weights])
    optimizer.apply_gradients(zip(gradients, weights, strict=True))
    return loss


for batch in batches.take(STEPS):
    loss = train_step(batch)
print(f"{len(moons.trainable_variables)} weights, {float(loss):.3f} nats a point")

x, y = np.meshgrid(np.linspace(-1.8, 2.8, 200), np.linspace(-1.4, 1.9, 200))
density = np.exp(moons.log_prob(np.stack([x, y], -1).astype(np.float32)))
samples = moons.sample(1000, seed=1)
figure, axes = plt.subplots(1, 3, figsize=(11, 3), sharex=True, sharey=True, layout="constrained")
axes[0].scatter(*points[:1000].T, s=2)
axes[0].set(title="1,000 data points", ylabel="$x_2$")
mesh = axes[1].pcolormesh(x, y, density)
axes[1].set(title="density of the flow")
figure.colorbar(mesh, ax=axes[1])
axes[2].scatter(*np.transpose(samples), s=2)
axes[2].set(title="1,000 samples of the flow")
for axis in axes:
    axis.set(xlabel="$x_1$", aspect="equal")
figure.savefig("density_2d.png", dpi=100)
print("picture: density_2d.png")
