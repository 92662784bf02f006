"""The state of training as a few large arrays, for a training step that XLA compiles.

At L=3 and K=32 a model has 1,161 weights, and with moments and EMA a step changes 4,644 variables. A GPU is done with
the arithmetic long before the host has started all operations. So a compiled step works on copies in which the weights
of equal place in the K steps of a level are one array `[K, ...]`: 45 arrays of each kind, whatever K. They take as much
memory as the variables themselves.

The copies are the state while training runs. `load` makes them from model, optimizer and EMA. Code that reads
those (validation, checkpoints, weights files, samples) calls `store` first, which writes the copies back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from glow_tf.training.fused_update import norm_and_acceptance
from glow_tf.training.update_operations import StepScalars, WeightHandles, move_shadow, scale_weight
from glow_tf.types import Tensor, TensorLike

if TYPE_CHECKING:
    from glow_tf.model import Glow
    from glow_tf.training.ema import ExponentialMovingAverage
    from glow_tf.training.optimizers import GlowOptimizer


class StackedState:
    """Stacked copies of a model's trainable weights, of their moments and of their EMA.

    Args:
        model: the model that is trained.
        optimizer: an optimizer built for its trainable weights.
        ema: EMA of the model, or None.
        strategy: the strategy under whose scope all three were made.
    """

    def __init__(
        self,
        model: Glow,
        optimizer: GlowOptimizer,
        ema: ExponentialMovingAverage | None,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.optimizer, self.ema = optimizer, ema
        self.variables = tuple(model.trainable_variables)
        self.groups = _groups_of_equal_place(model)
        """Lists of indices into the trainable weights: each list is one stack."""
        moments = [optimizer.moments(v) for v in self.variables]
        self._sources = {
            "weight": [v.value for v in self.variables],
            "first_moment": [first for first, _ in moments],
            "second_moment": [second for _, second in moments],
        }
        if ema is not None:
            ema.check_variables(self.variables)
            self._sources["shadow"] = ema.shadows
        with strategy.scope():
            self.stacks = {
                kind: [tf.Variable(value, trainable=False) for value in self._stacked(kind)] for kind in self._sources
            }
        """Kind of array, as in `WeightHandles`, to its stacks."""

    def _stacked(self, kind: str) -> list[Tensor]:
        return [tf.stack([self._sources[kind][i] for i in group]) for group in self.groups]

    def load(self) -> None:
        """Copy model, optimizer and EMA into the stacks."""
        for kind, stacks in self.stacks.items():
            for stack, value in zip(stacks, self._stacked(kind), strict=True):
                stack.assign(value)

    def store(self) -> None:
        """Copy the stacks into model, optimizer and EMA."""
        for kind, stacks in self.stacks.items():
            for stack, group in zip(stacks, self.groups, strict=True):
                for i, value in zip(group, tf.unstack(tf.convert_to_tensor(stack)), strict=True):
                    self._sources[kind][i].assign(value)

    def weights(self) -> list[Tensor]:
        """Return this replica's stacked weights as tensors."""
        return [tf.convert_to_tensor(stack) for stack in self.stacks["weight"]]

    def scope(self, weights: Sequence[Tensor]) -> AbstractContextManager[object]:
        """Return a context in which the model computes with these stacked weights."""
        values = [value for stack in weights for value in tf.unstack(stack)]
        variables = [self.variables[i] for group in self.groups for i in group]
        return keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)))

    def update(self, gradients: Sequence[Tensor], loss: Tensor) -> tuple[Tensor, Tensor]:
        """Update the stacks of this replica, or leave them as they are if the loss or a gradient is not finite.

        Args:
            gradients: tensors like `weights()`.
            loss: scalar tensor.

        Returns:
            `(norm, accepted)`: the norm of all gradients, and a bool scalar, whether there was an update.
        """
        scalars = self.optimizer.step_scalars(self.optimizer.learning_rate, gradients[0].dtype)
        return self._compiled_update(gradients, loss, scalars)

    @tf.function(autograph=False, jit_compile=True)
    def _compiled_update(
        self, gradients: Sequence[Tensor], loss: Tensor, scalars: StepScalars
    ) -> tuple[Tensor, Tensor]:
        norm, accepted = norm_and_acceptance([tf.nn.l2_loss(g) for g in gradients], loss)
        kept = tf.cast(accepted, norm.dtype)  # 1 or 0

        def unless_rejected(value: TensorLike, otherwise: float) -> Tensor:
            present, neutral = (tf.convert_to_tensor(v, norm.dtype) for v in (value, otherwise))
            return tf.where(accepted, present, neutral)

        # No condition: it would make a GPU wait for the host. With these numbers, and gradients of zero, an update
        # leaves weights, moments and EMA as they are.
        scalars = scalars._replace(
            learning_rate=unless_rejected(scalars.learning_rate, 0),
            beta1=unless_rejected(scalars.beta1, 1),
            beta2=unless_rejected(scalars.beta2, 1),
        )
        weight_factor = unless_rejected(self.optimizer.weight_factor, 1)
        for i, gradient in enumerate(gradients):
            handles = WeightHandles(**{kind: stacks[i].handle for kind, stacks in self.stacks.items()})
            if self.ema is not None:
                move_shadow(handles, kept * (1.0 - self.ema.decay), gradient.dtype)
            if self.optimizer.weight_factor != 1.0:
                scale_weight(handles, weight_factor, gradient.dtype)
            self.optimizer.apply_rule(tf.math.multiply_no_nan(gradient, kept), handles, scalars)
        return norm, accepted


def _groups_of_equal_place(model: Glow) -> list[list[int]]:
    """Return lists of indices into the trainable weights: those of equal place in a level's steps, others alone."""
    index = {id(v): i for i, v in enumerate(model.trainable_variables)}
    levels = [model.flow.steps(level) for level in range(model.flow.levels)]
    places = [place for steps in levels for place in zip(*(step.weights for step in steps), strict=True)]
    groups = [[index[id(v)] for v in place if id(v) in index] for place in places]
    in_steps = {i for group in groups for i in group}
    return [*filter(None, groups), *([i] for i in range(len(index)) if i not in in_steps)]
