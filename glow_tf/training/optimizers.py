"""The optimizers of the original code (openai/glow): its variants of Adamax and Adam, as Keras optimizers."""

from typing import Annotated

import keras
import tensorflow as tf

from glow_tf.accumulation import check_accumulation
from glow_tf.fields import Between, check
from glow_tf.layers.variables import shared_zeros, unnamed_variables
from glow_tf.training.fused_update import StepScalars, WeightHandles, apply_adam, apply_adamax, scale_weight

DecayRate = Annotated[float, Between(0, 1, open_high=True)]


class GlowOptimizer(keras.optimizers.Optimizer):
    """Base class of both variants: the step `w <- weight_factor * w - alpha * m / (scale + epsilon)`.

    With `t` from 1, `m <- beta1 * m + (1 - beta1) * g` and `alpha = lr * sqrt(1 - beta2^t) / (1 - beta1^t)`; the
    variants differ in the second moment and in the scale. All of it is one fused operation, see `fused_update`.

    Args:
        learning_rate: a number or a `LearningRateSchedule` over the steps from 0.
        beta1, beta2: floats in [0, 1), the decay of the two moments.
        epsilon: float, added to the scale.
        weight_factor: float, multiplies the weights at each step; 1 is off (`weight_decay` in the original code;
            Keras's option of that name is another rule).
    """

    def __init__(self, learning_rate=1e-3, *, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_factor=1.0, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        check_accumulation(self, tf.distribute.get_strategy(), type(self).__name__)
        self.beta1, self.beta2 = check(beta1, DecayRate, "beta1"), check(beta2, DecayRate, "beta2")
        self.epsilon = check(epsilon, Annotated[float, Between(0, 1)], "epsilon")
        self.weight_factor = check(weight_factor, Annotated[float, Between(0, 1, open_low=True)], "weight_factor")

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        with unnamed_variables():
            zeros = shared_zeros()
            self.first_moments = self.add_optimizer_variables(variables, "first_moment", zeros)
            self.second_moments = self.add_optimizer_variables(variables, "second_moment", zeros)

    def step_scalars(self, learning_rate, dtype):
        """Return the `StepScalars` of the present step."""
        updates = self.iterations  # a tensor where gradients accumulate over several batches, else a variable
        updates = updates.value if isinstance(updates, keras.Variable) else updates
        t = tf.cast(updates + 1, dtype)
        beta1, beta2, epsilon = (tf.constant(v, dtype) for v in (self.beta1, self.beta2, self.epsilon))
        return StepScalars(
            learning_rate=tf.cast(learning_rate, dtype),
            beta1_power=beta1**t,
            beta2_power=beta2**t,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
        )

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable; Keras calls this."""
        self.update_weight(gradient, self.handles(variable), self.step_scalars(learning_rate, gradient.dtype))

    def moments(self, variable):
        """Return the first and the second moment of a weight, as `tf.Variable`s."""
        index = self._get_variable_index(variable)
        return self.first_moments[index].value, self.second_moments[index].value

    def handles(self, variable):
        """Return the `WeightHandles` of a weight and its two moments, without a shadow."""
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        first, second = self.moments(variable)
        return WeightHandles(weight.handle, first.handle, second.handle)

    def update_weight(self, gradient, handles, scalars):
        """Update a weight and its moments.

        Args:
            gradient: tensor of the weight's shape.
            handles: `WeightHandles`.
            scalars: `StepScalars`.
        """
        if self.weight_factor != 1.0:
            scale_weight(handles, self.weight_factor, gradient.dtype)
        self.apply_rule(gradient, handles, scalars)

    def advance(self, accepted=True):
        """Increment the step counter of this replica only, unless the step was rejected.

        Assigning the Keras variable would trigger a cross-replica update.
        """
        count = self.iterations.value
        tf.raw_ops.AssignAddVariableOp(resource=count.handle, value=tf.cast(accepted, count.dtype))

    def apply_rule(self, gradient, handles, scalars):
        """Update a weight and its moments by the fused operation."""
        raise NotImplementedError

    def reference_second_moment(self, second_moment, gradient, beta2):
        """Return the next second moment, by plain code (see `fused_update.reference_update`)."""
        raise NotImplementedError

    def reference_scale(self, second_moment):
        """Return the scale of the step, by plain code."""
        raise NotImplementedError

    def get_config(self):
        config = {k: getattr(self, k) for k in ("beta1", "beta2", "epsilon", "weight_factor")}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("glow_tf")
class Adamax(GlowOptimizer):
    """Adamax of the original code: `u <- max(beta2 * u, |g|)`, scale `u`, with Adam's bias correction of the step size.

    `keras.optimizers.Adamax` (Kingma & Ba, 2015, algorithm 2) corrects the first moment only.
    """

    def apply_rule(self, gradient, handles, scalars):
        apply_adamax(gradient, handles, scalars)

    def reference_second_moment(self, second_moment, gradient, beta2):
        return tf.maximum(beta2 * second_moment, tf.abs(gradient))

    def reference_scale(self, second_moment):
        return second_moment


@keras.saving.register_keras_serializable("glow_tf")
class Adam(GlowOptimizer):
    """Adam of the original code: `v <- beta2 * v + (1 - beta2) * g^2`, scale `sqrt(v)`."""

    def apply_rule(self, gradient, handles, scalars):
        apply_adam(gradient, handles, scalars)

    def reference_second_moment(self, second_moment, gradient, beta2):
        return beta2 * second_moment + (1 - beta2) * tf.square(gradient)

    def reference_scale(self, second_moment):
        return tf.sqrt(second_moment)
