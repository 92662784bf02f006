"""Optimizers and the learning-rate schedule of the original code, as Keras objects.

They are not in `glow_tf` itself, because their rules differ from those of `keras.optimizers` under the same names.

Example:
    >>> from glow_tf import optimizers
    >>> optimizer = optimizers.Adamax(optimizers.WarmUp(1e-3, warmup_steps=1000.0), beta2=0.999)
    >>> optimizer.beta2
    0.999
"""

from glow_tf.training.optimizers import Adam, Adamax
from glow_tf.training.schedule import WarmUp

__all__ = ["Adam", "Adamax", "WarmUp"]
