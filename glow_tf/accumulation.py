"""Gradient accumulation of Keras's optimizers (`gradient_accumulation_steps`)."""

import keras
import tensorflow as tf


def batches_seen(optimizer):
    """Return the number of batches whose gradients an optimizer got, an integer tensor.

    Its `iterations` counts updates, and stays the same while gradients accumulate.
    """
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer._iterations.value


def check_accumulation(optimizer, strategy, name):
    """Raise a `ValueError` if an optimizer accumulates gradients under a strategy where Keras cannot."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    mirrored = tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy
    if optimizer.gradient_accumulation_steps and isinstance(strategy, mirrored):
        raise ValueError(
            f"{name}: gradient_accumulation_steps does not work under {type(strategy).__name__} in Keras; leave it out "
            "there, or train on one device."
        )
