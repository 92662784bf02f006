"""The moving average of the weights, by the original's rule."""

import contextlib

import tensorflow as tf


class MovingAverage(tf.Module):
    """Shadows of a model's trainable weights: `shadow <- shadow - (1 - decay) * (shadow - w)`.

    `w` is the weight *before* the step's update, and there is no debiasing, as in the original. The shadows start at
    the initialised weights; the original's start before the data-dependent initialisation.

    Keras's `use_ema` is another rule: it averages after the update, and overwrites the weights at the end of `fit`.
    """

    def __init__(self, model, decay):
        super().__init__(name="average")
        self.decay = decay
        self._sources = tuple(v.value for v in model.trainable_variables)
        # A model, not a list of variables, would be saved twice; the shadows alone are our state.
        self.shadows = [tf.Variable(v, trainable=False, name="shadow") for v in self._sources]

    def reset(self):
        """Sets the shadows to the weights."""
        for shadow, source in zip(self.shadows, self._sources, strict=True):
            shadow.assign(source)

    def move(self, shadow, weight, dtype):
        """One step of a shadow, both given by their resource handles; call it before the weight is updated."""
        difference = tf.raw_ops.ReadVariableOp(resource=shadow, dtype=dtype) - tf.raw_ops.ReadVariableOp(
            resource=weight, dtype=dtype
        )
        # One pass for the product and the subtraction.
        alpha = tf.constant(1.0 - self.decay, dtype)
        tf.raw_ops.ResourceApplyGradientDescent(var=shadow, alpha=alpha, delta=difference)

    def swap(self):
        """Exchanges the weights and their averages."""
        for shadow, source in zip(self.shadows, self._sources, strict=True):
            weights = tf.identity(source)
            source.assign(shadow)
            shadow.assign(weights)

    @contextlib.contextmanager
    def swapped(self):
        """Within the context the model has the averaged weights."""
        self.swap()
        try:
            yield
        finally:
            self.swap()
