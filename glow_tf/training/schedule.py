"""The learning rate over the updates."""

import math
from typing import Annotated, TypeAlias

import keras
import tensorflow as tf

from glow_tf.fields import Between, check
from glow_tf.types import Config, Tensor, TensorLike

NotNegative: TypeAlias = Annotated[float, Between(0, 10**18)]


@keras.saving.register_keras_serializable("glow_tf")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0, then a constant rate or half a cosine down to 0.

    At step k (from 0): `learning_rate * min(1, k / warmup_steps)`, so the first step has rate 0 as in the original
    code. A step is here an update of the weights: one that is skipped, as it is not finite, does not count.

    Args:
        learning_rate: the rate after the warm-up.
        warmup_steps: length of the warm-up; 0 starts at the full rate.
        decay_steps: step at which a cosine decay from the end of the warm-up reaches 0; None stays constant. If the
            warm-up is longer, the rate only rises until then.

    Example:
        >>> schedule = WarmUp(1e-3, warmup_steps=100.0)
        >>> [round(float(schedule(step)), 5) for step in (0, 50, 200)]
        [0.0, 0.0005, 0.001]
    """

    def __init__(self, learning_rate: float, warmup_steps: float, decay_steps: float | None = None) -> None:
        self.learning_rate = check(learning_rate, NotNegative, "learning_rate")
        self.warmup_steps = check(warmup_steps, NotNegative, "warmup_steps")
        self.decay_steps = check(decay_steps, NotNegative | None, "decay_steps")

    def __call__(self, step: TensorLike) -> Tensor:
        """Return the rate at a step, a float32 scalar."""
        steps = tf.cast(step, tf.float32)
        rate = tf.minimum(1.0, steps / self.warmup_steps) if self.warmup_steps else tf.constant(1.0)
        if self.decay_steps is not None:
            span = max(self.decay_steps - self.warmup_steps, 1)
            progress = tf.clip_by_value((steps - self.warmup_steps) / span, 0.0, 1.0)
            rate *= 0.5 * (1.0 + tf.cos(math.pi * progress))
        return self.learning_rate * rate

    def get_config(self) -> Config:
        """Return the arguments of the constructor."""
        return {k: getattr(self, k) for k in ("learning_rate", "warmup_steps", "decay_steps")}
