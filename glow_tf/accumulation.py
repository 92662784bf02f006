"""Optimizers of Keras that do not update at every batch: gradient accumulation, and loss scaling."""

import math

import keras
import tensorflow as tf

from glow_tf.types import Tensor

REPLICAS = 2**16
"""Upper bound on the replicas, which keeps the two numbers of a seed apart."""


def batch_seed(optimizer: keras.optimizers.Optimizer, replica: Tensor | int) -> Tensor:
    """Return a seed int32 `[2]` that no other batch of a training has, and no other replica.

    It is a function of the optimizer's variables alone, so a model that was saved and loaded goes on with the same
    seeds. The first number counts the batches whose gradients the optimizer took: its public `iterations` counts
    updates, and stays the same while gradients accumulate. Loss scaling skips a batch whose gradients are not finite
    and halves its scale then, so that the scale tells apart the batches of one count.
    """
    seen = tf.cast(_innermost(optimizer)._iterations.value, tf.int32)
    return tf.stack([seen, tf.cast(replica, tf.int32) + REPLICAS * _halvings(optimizer)])


def _halvings(optimizer: keras.optimizers.Optimizer) -> Tensor:
    """Return how often loss scaling has halved its scale, less how often it has doubled it, an int32 scalar."""
    halvings = tf.constant(0)
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        if optimizer.built:
            ratio = optimizer.initial_scale / optimizer.dynamic_scale.value  # infinite once the scale has vanished
            halvings += tf.cast(tf.round(tf.clip_by_value(tf.math.log(ratio) / math.log(2.0), -999, 999)), tf.int32)
        optimizer = optimizer.inner_optimizer
    return halvings


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
