"""The original's optimizers: its variants of Adamax and Adam, as Keras optimizers."""

import keras
import tensorflow as tf

from glow_tf.layers.flow import package


class GlowOptimizer(keras.optimizers.Optimizer):
    """Base of both: the step `w <- weight_decay * w - alpha * m / (v + epsilon)`.

    With `t` from 1, `m <- beta1 * m + (1 - beta1) * g` and `alpha = lr * sqrt(1 - beta2^t) / (1 - beta1^t)`; the
    variants differ in the scale `v`.

    Args:
        learning_rate: a number or a `LearningRateSchedule` over the steps from 0.
        beta1, beta2: decay of the two moments.
        epsilon: added to the scale.
        weight_factor: factor on the weights at each step, 1 is off (the original's `weight_decay`; Keras's option
            of that name is another rule).
    """

    def __init__(self, learning_rate=1e-3, *, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_factor=1.0, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1, self.beta2, self.epsilon, self.weight_factor = beta1, beta2, epsilon, weight_factor

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first_moments = self.add_optimizer_variables(variables, "first_moment")
        self.second_moments = self.add_optimizer_variables(variables, "second_moment")

    def second_moment(self, previous, gradient):
        """`(new second moment, scale v)`."""
        raise NotImplementedError

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        first, second = self.first_moments[index], self.second_moments[index]
        dtype = gradient.dtype
        t = tf.cast(self.iterations.value + 1, dtype)
        beta1, beta2 = tf.constant(self.beta1, dtype), tf.constant(self.beta2, dtype)
        alpha = tf.cast(learning_rate, dtype) * tf.sqrt(1 - beta2**t) / (1 - beta1**t)
        m = beta1 * first.value + (1 - beta1) * gradient
        u, scale = self.second_moment(second.value, gradient)
        self.assign(first, m)
        self.assign(second, u)
        self.assign(variable, self.weight_factor * variable - alpha * m / (scale + self.epsilon))

    def get_config(self):
        config = {k: getattr(self, k) for k in ("beta1", "beta2", "epsilon", "weight_factor")}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package)
class Adamax(GlowOptimizer):
    """The original's Adamax: `u <- max(beta2 * u, |g|)`, scale `u`, with Adam's bias correction of the step size.

    `keras.optimizers.Adamax` (Kingma & Ba, 2015, algorithm 2) corrects the first moment only.
    """

    def second_moment(self, previous, gradient):
        u = tf.maximum(self.beta2 * previous, tf.abs(gradient))
        return u, u


@keras.saving.register_keras_serializable(package)
class Adam(GlowOptimizer):
    """The original's Adam: `v <- beta2 * v + (1 - beta2) * g^2`, scale `sqrt(v)`."""

    def second_moment(self, previous, gradient):
        v = self.beta2 * previous + (1 - self.beta2) * tf.square(gradient)
        return v, tf.sqrt(v)
