"""The original's optimizers: its variants of Adamax and Adam, as Keras optimizers."""

import keras
import tensorflow as tf

from glow_tf.layers.flow import package


class GlowOptimizer(keras.optimizers.Optimizer):
    """Base of both: the step `w <- weight_factor * w - alpha * m / (v + epsilon)`.

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

    def scalars(self, learning_rate, dtype):
        """`(lr, beta1^t, beta2^t, beta1, beta2, epsilon)` of the present step; the same for all weights."""
        t = tf.cast(self.iterations.value + 1, dtype)
        beta1, beta2, epsilon = (tf.constant(v, dtype) for v in (self.beta1, self.beta2, self.epsilon))
        return tf.cast(learning_rate, dtype), beta1**t, beta2**t, beta1, beta2, epsilon

    def update_step(self, gradient, variable, learning_rate):
        self.update_weight(gradient, *self.handles(variable), self.scalars(learning_rate, gradient.dtype))

    def handles(self, variable):
        """The resource handles of a weight and of its two moments, in this replica."""
        index = self._get_variable_index(variable)
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        return weight.handle, self.first_moments[index].value.handle, self.second_moments[index].value.handle

    def update_weight(self, gradient, weight, first, second, scalars):
        """Updates a weight and its moments, given by their handles, in one operation that passes over each once."""
        if self.weight_factor != 1.0:
            value = tf.raw_ops.ReadVariableOp(resource=weight, dtype=gradient.dtype)
            tf.raw_ops.AssignVariableOp(resource=weight, value=self.weight_factor * value)
        self.apply_rule(weight, first, second, gradient, *scalars)

    def advance(self):
        """Counts a step, in this replica's copy; an `assign` to Keras's variable would ask all replicas."""
        count = self.iterations.value
        tf.raw_ops.AssignAddVariableOp(resource=count.handle, value=tf.ones([], count.dtype))

    def apply_rule(self, weight, first, second, gradient, rate, beta1_power, beta2_power, beta1, beta2, epsilon):
        """The fused operation over the resource handles of a weight and its moments."""
        raise NotImplementedError

    def get_config(self):
        config = {k: getattr(self, k) for k in ("beta1", "beta2", "epsilon", "weight_factor")}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package)
class Adamax(GlowOptimizer):
    """The original's Adamax: `u <- max(beta2 * u, |g|)`, scale `u`, with Adam's bias correction of the step size.

    `keras.optimizers.Adamax` (Kingma & Ba, 2015, algorithm 2) corrects the first moment only.
    """

    def apply_rule(self, weight, first, second, gradient, rate, beta1_power, beta2_power, beta1, beta2, epsilon):
        tf.raw_ops.ResourceApplyAdaMax(
            var=weight,
            m=first,
            v=second,
            beta1_power=beta1_power,
            lr=rate * tf.sqrt(1 - beta2_power),  # the operation itself divides by 1 - beta1^t
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package)
class Adam(GlowOptimizer):
    """The original's Adam: `v <- beta2 * v + (1 - beta2) * g^2`, scale `sqrt(v)`."""

    def apply_rule(self, weight, first, second, gradient, rate, beta1_power, beta2_power, beta1, beta2, epsilon):
        tf.raw_ops.ResourceApplyAdam(
            var=weight,
            m=first,
            v=second,
            beta1_power=beta1_power,
            beta2_power=beta2_power,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            grad=gradient,
        )
