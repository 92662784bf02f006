"""Test the gradients that Keras applies: accumulated over batches, scaled, and skipped where they overflow."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import Glow
from glow_tf.config import ModelConfig
from glow_tf.training.optimizers import Adam, Adamax
from helpers.keras_fit import ONE_LEVEL, BinMiddles, images_and_labels


@pytest.mark.slow
def test_gradients_accumulate_over_batches_of_fresh_noise():
    images, _ = images_and_labels(8)
    model = Glow(ModelConfig(**ONE_LEVEL))
    model.initialize(images, seed=0)
    expected = [v.numpy() for v in model.trainable_variables]
    for batch in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.bits_per_dim(images[4 * batch :][:4], seed=[batch, 0]))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        expected = [v - 0.1 * g / 2 for v, g in zip(expected, gradients, strict=True)]
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    model.compile(optimizer)
    model.fit(images, batch_size=4, shuffle=False, verbose=0)
    assert int(optimizer.iterations) == 1
    for variable, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-6, err_msg=variable.path)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [Adam, Adamax])
def test_our_optimizers_accumulate_gradients_of_any_model(optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 1))
    weights = []
    for options, batch_size in (({}, 6), ({"gradient_accumulation_steps": 3}, 2)):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile(optimizer(0.1, **options), "mse", jit_compile=False)
        model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
        weights.append(model.get_weights()[0])
    np.testing.assert_allclose(*weights, atol=1e-6)


def test_accumulation_under_mirrored_strategy_is_refused():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        message = "gradient_accumulation_steps does not work under MirroredStrategy in Keras"
        with pytest.raises(ValueError, match=f"Adamax: {message}"):
            Adamax(gradient_accumulation_steps=2)
        model = Glow(ModelConfig(**ONE_LEVEL))
        with pytest.raises(ValueError, match=f"compile: {message}"):
            model.compile(keras.optimizers.SGD(gradient_accumulation_steps=2))


@pytest.mark.slow
def test_train_on_batch_follows_the_gradient_of_the_mean_and_skipped_batches_have_noise_of_their_own():
    """Scale the loss, as float16 networks may need, so much that the first batches overflow and are skipped."""
    seeds = []

    class Recording(BinMiddles):
        def dequantize(self, images, *, seed=None, noise=None):
            if seed is not None:
                tf.py_function(lambda seed: seeds.append(tuple(seed.numpy())), [seed], [])
            return super().dequantize(images)

        def objective(self, *args, **kwargs):
            terms = super().objective(*args, **kwargs)
            return {**terms, "loss": 1024 * terms["loss"]}

    images, _ = images_and_labels(8)
    model = Recording(ModelConfig(**ONE_LEVEL))
    model.initialize(images)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.bits_per_dim(images))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    expected = [v - 0.1 * g for v, g in zip(model.trainable_variables, gradients, strict=True)]
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1 / 1024), 2.0**127)
    model.compile(optimizer)
    while optimizer.iterations == 0 and len(seeds) < 30:
        model.train_on_batch(images)
    assert 2 < len(seeds) < 30 and len(set(seeds)) == len(seeds) and {seed[0] for seed in seeds} == {0}
    for variable, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-6, err_msg=variable.path)
