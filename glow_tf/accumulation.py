"""Gradient accumulation of Keras's optimizers (`gradient_accumulation_steps`)."""

import keras
import tensorflow as tf

from glow_tf.types import Tensor


def batches_seen(optimizer: keras.optimizers.Optimizer) -> Tensor:
    """Return the number of batches whose gradients an optimizer got, an integer tensor.

    Its `iterations` counts updates, and stays the same while gradients accumulate.
    """
    return _innermost(optimizer)._iterations.value


def check_accumulation(optimizer: keras.optimizers.Optimizer, strategy: tf.distribute.Strategy, name: str) -> None:
    """Raise a `ValueError` if an optimizer accumulates gradients under a strategy where Keras cannot.

    Args:
        optimizer: the optimizer.
        strategy: the strategy in whose scope it is made.
        name: name of the caller, for the error message.
    """
    mirrored = tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy
    if _innermost(optimizer).gradient_accumulation_steps and isinstance(strategy, mirrored):
        raise ValueError(
            f"{name}: gradient_accumulation_steps does not work under {type(strategy).__name__} in Keras; leave it out "
            "there, or train on one device."
        )


def _innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return the optimizer that loss scaling wraps, or the optimizer itself."""
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer
