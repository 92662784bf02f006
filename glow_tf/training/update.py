"""The update of all weights in one step of training: first the moving average, then the optimizer.

The weights of the K equal steps of a level are updated by one traced function that takes them as arguments, as
`layers/sharing.py` runs them: a deep flow then starts nearly as fast as a shallow one.
"""

import tensorflow as tf


class WeightUpdate:
    """Updates a model's trainable weights from their gradients, or leaves everything as it is.

    Args:
        model: a `Glow`.
        optimizer: a built `GlowOptimizer`.
        average: a `MovingAverage`, or None.
    """

    def __init__(self, model, optimizer, average=None):
        self.optimizer, self.average = optimizer, average
        places = {id(v): i for i, v in enumerate(model.trainable_variables)}
        flow = model.flow
        groups = [step.trainable_variables for level in range(flow.levels) for step in flow.steps(level)]
        in_steps = {id(v) for group in groups for v in group}
        groups.append([v for v in model.trainable_variables if id(v) not in in_steps])
        self._groups = [[(places[id(v)], v) for v in group] for group in groups]
        self._functions = {}

    def squared_norm(self, gradients):
        """The sum of squares of all gradients, a scalar."""
        halves = []
        for group in self._groups:
            some = [gradients[place] for place, _ in group]
            function = self._shared("norm", some, lambda *some: tf.add_n([tf.nn.l2_loss(g) for g in some]))
            halves.append(function(*some))
        return 2.0 * tf.add_n(halves)

    def __call__(self, gradients, wanted):
        """Updates every weight in this replica; where `wanted`, a bool scalar, is False nothing changes.

        Args:
            gradients: in the order of the model's trainable weights.
        """
        scalars = self.optimizer.scalars(self.optimizer.learning_rate, gradients[0].dtype)
        for group in self._groups:
            some = [gradients[place] for place, _ in group]
            handles = [self._handles(place, variable) for place, variable in group]
            self._shared("update", some, self._update)(wanted, scalars, some, handles)

    def _handles(self, place, variable):
        """Resource handles of what changes with a weight: itself, the optimizer's moments, its average."""
        shadow = () if self.average is None else (self.average.shadows[place].handle,)
        return (*self.optimizer.handles(variable), *shadow)

    def _update(self, wanted, scalars, gradients, handles):
        def update():
            for gradient, (weight, first, second, *shadow) in zip(gradients, handles, strict=True):
                if shadow:
                    self.average.move(shadow[0], weight, gradient.dtype)
                self.optimizer.update_weight(gradient, weight, first, second, scalars)
            return tf.constant(0)

        tf.cond(wanted, update, lambda: tf.constant(0))

    def _shared(self, what, tensors, function):
        """The traced function for tensors of these shapes."""
        key = (what, *((t.dtype, *t.shape) for t in tensors))
        if key not in self._functions:
            self._functions[key] = tf.function(function, autograph=False, experimental_attributes={"_noinline": True})
        return self._functions[key]
