"""The update of all weights in one step of training, fused: first the EMA, then the optimizer.

**The plain code.** `reference_update` is what this module computes, one assignment after another. A test compares both.

**The trick.** (1) One TensorFlow operation updates a weight together with its two moments, and one its shadow, so that
each array passes through memory once (`training/update_operations.py`). (2) The K steps of a level have weights of
equal shapes. One traced function, called K times with other handles, updates them, as `layers/shared_steps.py` runs the
steps themselves. (3) A rejected step is skipped by one `tf.cond` per group of weights.

**The gain.** By (2), the training step at K=32 is traced in 7.5 s instead of 21 s. By (1), the optimizer takes about 20
ms and the EMA about 35 ms of a training step at K=8 and width 512, which takes 0.8 s (`benchmarks/README.md`).

Training that XLA compiles has an update of its own, `training/stacked_state.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from glow_tf.training.update_operations import StepScalars, WeightHandles, move_shadow
from glow_tf.types import Tensor

if TYPE_CHECKING:
    from glow_tf.model import Glow
    from glow_tf.training.ema import ExponentialMovingAverage
    from glow_tf.training.optimizers import GlowOptimizer


def reference_update(
    optimizer: GlowOptimizer,
    gradients: Sequence[Tensor],
    variables: Sequence[keras.Variable],
    ema: ExponentialMovingAverage | None = None,
) -> None:
    """Update all weights by the plain code that `WeightUpdate` replaces; for tests, on one replica.

    Args:
        optimizer: an optimizer built for `variables`; its `advance` counts the step afterwards.
        gradients: tensors in the order of `variables`.
        variables: the weights.
        ema: EMA of these variables, or None.
    """
    scalars = optimizer.step_scalars(optimizer.learning_rate, gradients[0].dtype)
    step_size = scalars.learning_rate * tf.sqrt(1 - scalars.beta2_power) / (1 - scalars.beta1_power)
    for i, (gradient, variable) in enumerate(zip(gradients, variables, strict=True)):
        weight, first, second = (v.value for v in (variable, optimizer.first_moments[i], optimizer.second_moments[i]))
        if ema is not None:
            ema.shadows[i].assign_sub((1 - ema.decay) * (ema.shadows[i] - weight))
        weight.assign(optimizer.weight_factor * weight)
        first.assign(scalars.beta1 * first + (1 - scalars.beta1) * gradient)
        second.assign(optimizer.reference_second_moment(second, gradient, scalars.beta2))
        weight.assign_sub(step_size * first / (optimizer.reference_scale(second) + scalars.epsilon))


class WeightUpdate:
    """The update of a model's trainable weights from their gradients, which can be skipped as a whole.

    Args:
        model: the model that is trained.
        optimizer: an optimizer built for its trainable weights.
        ema: EMA of the model, or None.
    """

    def __init__(self, model: Glow, optimizer: GlowOptimizer, ema: ExponentialMovingAverage | None = None) -> None:
        self.optimizer, self.ema = optimizer, ema
        self._variables = tuple(model.trainable_variables)
        if ema is not None:
            ema.check_variables(self._variables)
        self._groups = _group_indices(model)
        self._shared_norm = _SharedFunction(_half_squared_norm)
        self._shared_update = _SharedFunction(self._update_group)

    def __call__(self, gradients: Sequence[Tensor], loss: Tensor) -> tuple[Tensor, Tensor]:
        """Update all weights of this replica, or none if the loss or a gradient is not finite.

        Args:
            gradients: tensors in the order of the model's trainable weights.
            loss: scalar tensor.

        Returns:
            `(norm, accepted)`: the norm of all gradients, and a bool scalar, whether there was an update.
        """
        scalars = self.optimizer.step_scalars(self.optimizer.learning_rate, gradients[0].dtype)
        groups = [[gradients[i] for i in group] for group in self._groups]
        norm, accepted = norm_and_acceptance([self._shared_norm(group) for group in groups], loss)
        for group, indices in zip(groups, self._groups, strict=True):
            self._shared_update(group, [self._handles(i) for i in indices], scalars, accepted)
        return norm, accepted

    def _handles(self, index: int) -> WeightHandles:
        shadow = None if self.ema is None else self.ema.shadows[index].handle
        return self.optimizer.handles(self._variables[index])._replace(shadow=shadow)

    def _update_group(
        self, gradients: Sequence[Tensor], handles: Sequence[WeightHandles], scalars: StepScalars, accepted: Tensor
    ) -> None:
        def update() -> Tensor:
            for gradient, weight_handles in zip(gradients, handles, strict=True):
                if self.ema is not None:
                    move_shadow(weight_handles, 1.0 - self.ema.decay, gradient.dtype)
                self.optimizer.update_weight(gradient, weight_handles, scalars)
            return tf.constant(0)

        def skip() -> Tensor:
            return tf.constant(0)

        tf.cond(accepted, update, skip)


def _group_indices(model: Glow) -> list[list[int]]:
    """Return lists of indices into the model's trainable weights: one list per flow step, then one of all others."""
    index = {id(v): i for i, v in enumerate(model.trainable_variables)}
    steps = [step for level in range(model.flow.levels) for step in model.flow.steps(level)]
    groups = [[index[id(v)] for v in step.trainable_variables] for step in steps]
    in_steps = {i for group in groups for i in group}
    others = [i for i in range(len(index)) if i not in in_steps]
    return [group for group in (*groups, others) if group]  # a frozen step has none


def norm_and_acceptance(half_squared_norms: Sequence[Tensor], loss: Tensor) -> tuple[Tensor, Tensor]:
    """Return the norm of all gradients, and whether it and the loss are finite."""
    norm = tf.sqrt(2.0 * tf.add_n(half_squared_norms))
    return norm, tf.math.is_finite(loss) & tf.math.is_finite(norm)


def _half_squared_norm(gradients: Sequence[Tensor]) -> Tensor:
    return tf.add_n([tf.nn.l2_loss(gradient) for gradient in gradients])


class _SharedFunction:
    """One Python function, traced once per shapes and dtypes of the tensors in its first argument."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._traced: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, tensors: Sequence[Tensor], *arguments: Any) -> Any:
        key = tuple((t.dtype, *t.shape) for t in tensors)
        if key not in self._traced:
            self._traced[key] = tf.function(
                self._function, autograph=False, experimental_attributes={"_noinline": True}
            )
        return self._traced[key](tensors, *arguments)
