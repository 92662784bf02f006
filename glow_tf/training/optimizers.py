"""The optimizers of the original code (openai/glow): its variants of Adamax and Adam, as Keras optimizers."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import keras
import tensorflow as tf

from glow_tf.accumulation import check_accumulation
from glow_tf.fields import Between, check
from glow_tf.layers.variables import shared_zeros, unnamed_variables
from glow_tf.training.update_operations import StepScalars, WeightHandles, apply_adam, apply_adamax, scale_weight
from glow_tf.types import Config, Tensor, TensorLike

DecayRate: TypeAlias = Annotated[float, Between(0, 1, open_high=True)]


class GlowOptimizer(keras.optimizers.Optimizer):
    """Base class of both variants: the step `w <- weight_factor * w - alpha * m / (scale + epsilon)`.

    With `t` from 1, `m <- beta1 * m + (1 - beta1) * g` and `alpha = lr * sqrt(1 - beta2^t) / (1 - beta1^t)`; the
    variants differ in the second moment and in the scale. All of it is one fused operation.

    Args:
        learning_rate: the rate, or its schedule over the steps from 0.
        beta1, beta2: decay rates of the two moments, in [0, 1).
        epsilon: number added to the scale.
        weight_factor: factor on the weights at each step; 1 is off (`weight_decay` in the original code;
            Keras's option of that name is another rule).
        **kwargs: other arguments of `keras.optimizers.Optimizer`.
    """

    first_moments: list[keras.Variable]
    second_moments: list[keras.Variable]

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_factor: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        check_accumulation(self, tf.distribute.get_strategy(), type(self).__name__)
        self.beta1, self.beta2 = check(beta1, DecayRate, "beta1"), check(beta2, DecayRate, "beta2")
        self.epsilon = check(epsilon, Annotated[float, Between(0, 1)], "epsilon")
        self.weight_factor = check(weight_factor, Annotated[float, Between(0, 1, open_low=True)], "weight_factor")

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the moments of the weights; Keras calls this."""
        if self.built:
            return
        super().build(variables)
        zeros = shared_zeros()

        def moments(name: str) -> list[keras.Variable]:
            # Keras has no types: type checkers take `str`, the type of the default, for that of any initializer.
            return self.add_optimizer_variables(variables, name, zeros)  # pyright: ignore[reportArgumentType, reportReturnType]

        with unnamed_variables():
            self.first_moments, self.second_moments = moments("first_moment"), moments("second_moment")

    def step_scalars(self, learning_rate: TensorLike, dtype: tf.DType) -> StepScalars:
        """Return the `StepScalars` of the present step."""
        updates = self.iterations  # a tensor where gradients accumulate over several batches, else a variable
        updates = updates.value if isinstance(updates, keras.Variable) else updates
        # Type checkers infer a tensor of another backend of Keras.
        t = tf.cast(updates + 1, dtype)  # pyright: ignore[reportCallIssue, reportArgumentType, reportOptionalOperand]
        beta1, beta2, epsilon = (tf.constant(v, dtype) for v in (self.beta1, self.beta2, self.epsilon))
        return StepScalars(
            learning_rate=tf.cast(learning_rate, dtype),
            beta1_power=beta1**t,
            beta2_power=beta2**t,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
        )

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: TensorLike) -> None:
        """Update one variable; Keras calls this."""
        self.update_weight(gradient, self.handles(variable), self.step_scalars(learning_rate, gradient.dtype))

    def moments(self, variable: keras.Variable) -> tuple[tf.Variable, tf.Variable]:
        """Return the first and the second moment of a weight."""
        index: int = self._get_variable_index(variable)
        return self.first_moments[index].value, self.second_moments[index].value

    def handles(self, variable: keras.Variable | tf.Variable) -> WeightHandles:
        """Return the handles of a weight and its two moments, without a shadow."""
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        first, second = self.moments(variable)
        return WeightHandles(weight.handle, first.handle, second.handle)

    def update_weight(self, gradient: Tensor, handles: WeightHandles, scalars: StepScalars) -> None:
        """Update a weight and its moments.

        Args:
            gradient: tensor of the weight's shape.
            handles: the weight and its moments.
            scalars: the scalars of the step.
        """
        if self.weight_factor != 1.0:
            scale_weight(handles, self.weight_factor, gradient.dtype)
        self.apply_rule(gradient, handles, scalars)

    def advance(self, accepted: Tensor | bool = True) -> None:
        """Increment the step counter of this replica only, unless the step was rejected.

        Assigning the Keras variable would trigger a cross-replica update.
        """
        count = self.iterations.value  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
        tf.raw_ops.AssignAddVariableOp(resource=count.handle, value=tf.cast(accepted, count.dtype))

    def apply_rule(self, gradient: Tensor, handles: WeightHandles, scalars: StepScalars) -> None:
        """Update a weight and its moments by the fused operation."""
        raise NotImplementedError

    def reference_second_moment(self, second_moment: Tensor, gradient: Tensor, beta2: Tensor) -> Tensor:
        """Return the next second moment, by plain code (see `fused_update.reference_update`)."""
        raise NotImplementedError

    def reference_scale(self, second_moment: Tensor) -> Tensor:
        """Return the scale of the step, by plain code."""
        raise NotImplementedError

    def get_config(self) -> Config:
        """Return the arguments of the constructor."""
        config = {k: getattr(self, k) for k in ("beta1", "beta2", "epsilon", "weight_factor")}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("glow_tf")
class Adamax(GlowOptimizer):
    """Adamax of the original code: `u <- max(beta2 * u, |g|)`, scale `u`, with Adam's bias correction of the step size.

    `keras.optimizers.Adamax` (Kingma & Ba, 2015, algorithm 2) corrects the first moment only.

    Example:
        >>> model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, kernel_initializer="ones")])
        >>> optimizer = Adamax(0.5)
        >>> gradients = [tf.constant([[4.0], [-2.0]]), tf.constant([0.0])]
        >>> _ = optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        >>> [f"{weight:.3f}" for weight in model.trainable_variables[0].numpy().ravel()]
        ['0.984', '1.016']
    """

    def apply_rule(self, gradient: Tensor, handles: WeightHandles, scalars: StepScalars) -> None:
        """Update a weight and its moments in one operation."""
        apply_adamax(gradient, handles, scalars)

    def reference_second_moment(self, second_moment: Tensor, gradient: Tensor, beta2: Tensor) -> Tensor:
        """Return the next second moment, by plain code."""
        return tf.maximum(beta2 * second_moment, tf.abs(gradient))

    def reference_scale(self, second_moment: Tensor) -> Tensor:
        """Return the scale of the step, by plain code."""
        return second_moment


@keras.saving.register_keras_serializable("glow_tf")
class Adam(GlowOptimizer):
    """Adam of the original code: `v <- beta2 * v + (1 - beta2) * g^2`, scale `sqrt(v)`.

    Example:
        >>> from glow_tf.training.schedule import WarmUp
        >>> Adam(WarmUp(1e-3, warmup_steps=1000.0), beta1=0.8).beta1
        0.8
    """

    def apply_rule(self, gradient: Tensor, handles: WeightHandles, scalars: StepScalars) -> None:
        """Update a weight and its moments in one operation."""
        apply_adam(gradient, handles, scalars)

    def reference_second_moment(self, second_moment: Tensor, gradient: Tensor, beta2: Tensor) -> Tensor:
        """Return the next second moment, by plain code."""
        return beta2 * second_moment + (1 - beta2) * tf.square(gradient)

    def reference_scale(self, second_moment: Tensor) -> Tensor:
        """Return the scale of the step, by plain code."""
        return tf.sqrt(second_moment)
