"""The state of training as a few large arrays, for a training step that XLA compiles.

At K=32 a model has 1,200 weights, and with moments and EMA a step changes 4,800 variables. A GPU is done with the
arithmetic long before the host has handed them all over. So a compiled step works on copies in which the weights of
equal place in the K steps of a level are one array `[K, ...]`: about 60 arrays of each kind, whatever K.

The copies are the state while training runs. `load` makes them from model, optimizer and EMA; `store` writes them back
before anything else reads those: validation, checkpoints, weights files, samples.
"""

import keras
import tensorflow as tf

from glow_tf.training.fused_update import WeightHandles, move_shadow, norm_and_acceptance, scale_weight


class StackedState:
    """Stacked copies of a model's trainable weights, of their moments and of their EMA.

    Args:
        model: a `Glow`.
        optimizer: a built `GlowOptimizer`.
        ema: an `ExponentialMovingAverage` of the model, or None.
        strategy: the `tf.distribute` strategy under whose scope all three were made.
    """

    def __init__(self, model, optimizer, ema, strategy):
        self.optimizer, self.ema, self.strategy = optimizer, ema, strategy
        self.variables = tuple(model.trainable_variables)
        self.groups = _groups_of_equal_place(model)
        """Lists of indices into the trainable weights: each list is one stack."""
        self._sources = {
            "weight": [v.value for v in self.variables],
            "first_moment": [v.value for v in optimizer.first_moments],
            "second_moment": [v.value for v in optimizer.second_moments],
        }
        if ema is not None:
            self._sources["shadow"] = ema.shadows
        with strategy.scope():
            self._stacks = {
                kind: [tf.Variable(tf.stack([sources[i] for i in group]), trainable=False) for group in self.groups]
                for kind, sources in self._sources.items()
            }

    def load(self):
        """Copy model, optimizer and EMA into the stacks."""
        for kind, sources in self._sources.items():
            for stack, group in zip(self._stacks[kind], self.groups, strict=True):
                stack.assign(tf.stack([sources[i] for i in group]))

    def store(self):
        """Copy the stacks into model, optimizer and EMA."""
        for kind, sources in self._sources.items():
            for stack, group in zip(self._stacks[kind], self.groups, strict=True):
                for i, value in zip(group, tf.unstack(tf.convert_to_tensor(stack)), strict=True):
                    sources[i].assign(value)

    def weights(self):
        """Return this replica's stacked weights as tensors."""
        return [tf.convert_to_tensor(stack) for stack in self._stacks["weight"]]

    def scope(self, weights):
        """Return a context in which the model computes with these stacked weights."""
        values = [value for stack in weights for value in tf.unstack(stack)]
        variables = [self.variables[i] for group in self.groups for i in group]
        return keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)))

    def update(self, gradients, loss):
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
    def _compiled_update(self, gradients, loss, scalars):
        norm, accepted = norm_and_acceptance([tf.nn.l2_loss(g) for g in gradients], loss)
        kept = tf.cast(accepted, norm.dtype)  # 1 or 0

        def unless_rejected(value, otherwise):
            value, otherwise = (tf.convert_to_tensor(v, norm.dtype) for v in (value, otherwise))
            return tf.where(accepted, value, otherwise)

        # No condition: it would make a GPU wait for the host. With these numbers, and gradients of zero, an update
        # leaves weights, moments and EMA as they are.
        scalars = scalars._replace(
            learning_rate=unless_rejected(scalars.learning_rate, 0),
            beta1=unless_rejected(scalars.beta1, 1),
            beta2=unless_rejected(scalars.beta2, 1),
        )
        weight_factor = unless_rejected(self.optimizer.weight_factor, 1)
        for i, gradient in enumerate(gradients):
            handles = WeightHandles(**{kind: stacks[i].handle for kind, stacks in self._stacks.items()})
            if handles.shadow is not None:
                move_shadow(handles, kept * (1.0 - self.ema.decay), gradient.dtype)
            if self.optimizer.weight_factor != 1.0:
                scale_weight(handles, weight_factor, gradient.dtype)
            self.optimizer.apply_rule(tf.math.multiply_no_nan(gradient, kept), handles, scalars)
        return norm, accepted


def _groups_of_equal_place(model):
    """Return lists of indices into the trainable weights: those of equal place in a level's steps, others alone."""
    index = {id(v): i for i, v in enumerate(model.trainable_variables)}
    levels = [model.flow.steps(level) for level in range(model.flow.levels)]
    places = [place for steps in levels for place in zip(*(step.weights for step in steps), strict=True)]
    groups = [[index[id(v)] for v in place if id(v) in index] for place in places]
    in_steps = {i for group in groups for i in group}
    return [*filter(None, groups), *([i] for i in range(len(index)) if i not in in_steps)]
