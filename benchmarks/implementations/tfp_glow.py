"""`tfp.bijectors.Glow`, with its default networks at the same width and a standard normal base."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from benchmarks.work import EMA_DECAY, LEARNING_RATE, TEMPERATURE

tfb, tfd = tfp.bijectors, tfp.distributions


class TfpGlow:
    """TFP's Glow: no edge markers, no actnorm in the networks."""

    def __init__(self, work):
        self.versions = {"tensorflow": tf.__version__, "tensorflow-probability": tfp.__version__}
        self.batch = work.batch
        flow = tfb.Glow(
            output_shape=work.shape,
            num_glow_blocks=work.levels,
            num_steps_per_block=work.depth,
            coupling_bijector_fn=functools.partial(tfb.GlowDefaultNetwork, num_hidden=work.width),
            exit_bijector_fn=tfb.GlowDefaultExitNetwork,
            grab_after_block=[0.5] * (work.levels - 1) + [0.0],
            seed=0,
        )
        size = flow.inverse_event_shape(work.shape)
        self.density = flow(tfd.Sample(tfd.Normal(0.0, 1.0), size))
        self.cooled = flow(tfd.Sample(tfd.Normal(0.0, TEMPERATURE), size))
        rng = np.random.default_rng(0)
        self.images = tf.constant(rng.random((work.batch, *work.shape), np.float32) - 0.5)
        self.density.log_prob(self.images)  # initializes its actnorms
        log_prob = tf.function(lambda x: self.density.log_prob(x), autograph=False)
        sample = tf.function(lambda seed: self.cooled.sample(self.batch, seed=seed), autograph=False)
        seed = tf.constant([0, 1])
        self.tasks = {
            "train": self._make_training(ema=False),
            "train_average": self._make_training(ema=True),
            "log_prob": lambda: log_prob(self.images).numpy(),
            "sample": lambda: sample(seed).numpy(),
        }

    def _make_training(self, ema):
        weights = self.density.trainable_variables
        optimizer = tf_keras.optimizers.Adamax(LEARNING_RATE)
        optimizer.build(weights)
        ema = tf.train.ExponentialMovingAverage(EMA_DECAY) if ema else None

        @tf.function(autograph=False)
        def step(x):
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(self.density.log_prob(x))
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            if ema:
                ema.apply(weights)
            return loss

        return lambda: step(self.images).numpy()
