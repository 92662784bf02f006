"""This package: the training step of `train.py`, `Glow.log_prob`, `Glow.sample`, edge markers and priors included."""

import keras
import numpy as np
import tensorflow as tf

from benchmarks.work import EMA_DECAY, LEARNING_RATE, TEMPERATURE
from glow_tf import Glow, ModelConfig
from glow_tf.optimizers import Adamax
from glow_tf.training.ema import ExponentialMovingAverage
from glow_tf.training.step import Counters, TrainingStep


class Ours:
    """Our Glow, float32 throughout."""

    network_dtype = None

    def __init__(self, work):
        self.versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
        self.batch = work.batch
        self.glow = Glow(ModelConfig(**work.model(), network_dtype=self.network_dtype, recompute=False))
        rng = np.random.default_rng(0)
        self.images = tf.constant(rng.integers(0, 256, (work.batch, *work.shape), np.uint8))
        self.noise = tf.constant(rng.random((work.batch, *work.shape), np.float32))
        self.glow.initialize(self.images, noise=self.noise)
        self.tasks = {
            "train": self._make_training(ema=False),
            "train_average": self._make_training(ema=True),
            "log_prob": self._make_log_prob(),
            "sample": self._make_sampling(),
        }

    def _make_training(self, ema):
        ema = ExponentialMovingAverage(self.glow, EMA_DECAY) if ema else None
        counters = Counters(self.glow.term_names)
        strategy = tf.distribute.get_strategy()
        step = TrainingStep(self.glow, Adamax(LEARNING_RATE), ema, counters, strategy, batch_size=self.batch)

        def train():
            step({"image": self.images, "noise": self.noise})
            return int(counters.step.numpy())  # waits for the step

        return train

    def _make_log_prob(self):
        log_prob = tf.function(lambda x, noise: self.glow.log_prob(x, noise=noise), autograph=False)
        return lambda: log_prob(self.images, self.noise).numpy()

    def _make_sampling(self):
        @tf.function(autograph=False)
        def sample(seed):
            return self.glow.sample(self.batch, TEMPERATURE, seed=seed, mixed=self.network_dtype is not None)

        seed = tf.constant([0, 1])
        return lambda: sample(seed).numpy()


class OursBfloat16(Ours):
    """Our Glow with bfloat16 inside the coupling networks, in training and sampling; likelihoods stay in float32."""

    network_dtype = "bfloat16"
