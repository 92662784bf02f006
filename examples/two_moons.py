"""Fit a density to two half-moons with `keras.Model.fit`, in ten lines: `python examples/two_moons.py`."""

import keras
from sklearn.datasets import make_moons

from glow_tf import ActNorm, Coupling, FlowSequential, InvertibleConv1x1, LikelihoodModel

points = make_moons(4_000, noise=0.06, random_state=0)[0]
layers = []
for seed in range(6):
    network = keras.Sequential([keras.layers.Dense(64, "relu"), keras.layers.Dense(2, kernel_initializer="zeros")])
    layers += [ActNorm(), InvertibleConv1x1(seed=seed), Coupling(network=network)]
model = LikelihoodModel(FlowSequential(layers))
model.initialize(points)
model.compile(keras.optimizers.Adam(2e-3))
model.fit(points, batch_size=256, epochs=10, verbose=2)
model.save("moons.keras")
print(f"{model.evaluate(points, verbose=0, return_dict=True)['loss']:.3f} nats a point, saved as moons.keras")
