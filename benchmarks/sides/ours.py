"""This package: the training step of `train.py`, `Glow.log_prob`, `Glow.sample`, edge markers and priors included."""

import keras
import numpy as np
import tensorflow as tf

from benchmarks.work import TEMPERATURE
from glow_tf import Adamax, Glow, ModelConfig
from glow_tf.training.average import MovingAverage
from glow_tf.training.step import Counters, TrainingStep, terms_of


class Ours:
    """Float32 throughout."""

    network_dtype = None

    def __init__(self, work):
        self.versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
        self.batch = work.batch
        self.glow = Glow(ModelConfig(**work.model(), network_dtype=self.network_dtype, recompute=False))
        rng = np.random.default_rng(0)
        self.images = tf.constant(rng.integers(0, 256, (work.batch, *work.shape), np.uint8))
        self.noise = tf.constant(rng.random((work.batch, *work.shape), np.float32))
        self.glow.initialize(self.images, noise=self.noise)
        self.figures = {
            "train": self._training(average=False),
            "train_average": self._training(average=True),
            "log_prob": self._log_prob(),
            "sample": self._sample(),
        }

    def _training(self, average):
        average = MovingAverage(self.glow, 0.999) if average else None
        counters = Counters(terms_of(self.glow))
        step = TrainingStep(
            self.glow, Adamax(1e-3), average, counters, tf.distribute.get_strategy(), batch_size=self.batch
        )

        def run():
            step({"image": self.images, "noise": self.noise})
            return int(counters.step.numpy())

        return run

    def _log_prob(self):
        function = tf.function(lambda x, u: self.glow.log_prob(x, noise=u), autograph=False)
        return lambda: function(self.images, self.noise).numpy()

    def _sample(self):
        mixed = self.network_dtype is not None
        function = tf.function(
            lambda seed: self.glow.sample(self.batch, TEMPERATURE, seed=seed, mixed=mixed), autograph=False
        )
        seed = tf.constant([0, 1])
        return lambda: function(seed).numpy()


class OursBfloat16(Ours):
    """bfloat16 inside the coupling networks, in training and sampling; likelihoods stay in float32."""

    network_dtype = "bfloat16"
