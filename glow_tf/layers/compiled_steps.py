"""Run the K equal steps of a level as one loop, for XLA.

XLA inlines every call, so K steps in a row would be compiled K times: minutes at K=32. Here they are one
`tf.while_loop` over their stacked values, and compiling takes as long for K=32 as for K=2.

**The backward pass** is a loop of its own. TensorFlow's gradient of a loop would add a gradient of the size of all K
steps in each of the K iterations. This one runs the steps backwards from their stored inputs, writes each step's
gradient into its place, and takes the activations of the coupling network from the forward loop
(`layers/activations.py`), or computes them again if asked to save memory.
"""

import tensorflow as tf

from glow_tf.layers.activations import recording, replaying
from glow_tf.layers.network import mixed_precision, mixed_precision_active


def run_in_loop(call, x, values, recompute=False):
    """Run `x, log_det = call(x, *step_values)` for all steps in one loop.

    Args:
        call: function of `x` `[B, ...]` and of the values of a step; reads no other variable.
        x: `[B, ...]`.
        values: a list of tensors for each step, of equal shapes.
        recompute: compute the activations of the coupling networks again in the backward pass.

    Returns:
        `(result, log_det)`; the log-determinants `[B]` are summed.
    """
    return _Loop(call, x, values, recompute)(x)


class _Loop:
    def __init__(self, call, x, values, recompute):
        self.call, self.count = call, len(values)
        self.stacked = [tf.stack(tensors) for tensors in zip(*values, strict=True)]
        self.mixed = mixed_precision_active()
        self.x_spec = tf.TensorSpec(x.shape, x.dtype)
        self.kept = [] if recompute else self._activation_specs()

    def _activation_specs(self):
        """Return the shapes and dtypes of what a step records, from a trace that is thrown away."""

        def trace(x, *values):
            with recording() as recorded:
                self.call(x, *values)
            return recorded

        specs = [tf.TensorSpec(v.shape[1:], v.dtype) for v in self.stacked]
        return tf.function(trace, autograph=False).get_concrete_function(self.x_spec, *specs).structured_outputs

    def __call__(self, x):
        @tf.custom_gradient
        def run(x, *stacked):
            result, log_det, inputs, kept = self._forward(x, stacked)

            def gradient(d_result, d_log_det):
                with mixed_precision(self.mixed):
                    return self._backward(d_result, d_log_det, stacked, inputs, kept)

            return (result, log_det), gradient

        return run(x, *self.stacked)

    def _forward(self, x, stacked):
        def body(k, x, total, inputs, kept):
            inputs = inputs.write(k, x)
            with recording() as recorded:
                result, log_det = self.call(x, *(v[k] for v in stacked))
            kept = [array.write(k, tensor) for array, tensor in zip(kept, recorded, strict=False)]
            return k + 1, tf.ensure_shape(result, x.shape), total + log_det, inputs, kept

        total = tf.zeros(tf.shape(x)[:1], x.dtype)
        state = (tf.constant(0), x, total, self._array(self.x_spec), [self._array(spec) for spec in self.kept])
        _, x, total, inputs, kept = self._repeat(body, state)
        return x, total, inputs, kept

    def _backward(self, d_result, d_log_det, stacked, inputs, kept):
        differentiable = [v.dtype.is_floating for v in stacked]

        def body(i, dx, gradients):
            k = self.count - 1 - i
            x = tf.ensure_shape(inputs.read(k), self.x_spec.shape)
            values = [v[k] for v in stacked]
            floats = [v for v, f in zip(values, differentiable, strict=True) if f]
            activations = [tf.ensure_shape(a.read(k), s.shape) for a, s in zip(kept, self.kept, strict=True)]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([x, *floats])
                if activations:
                    with replaying(activations):
                        outputs = self.call(x, *values)
                else:
                    outputs = self.call(x, *values)
            dx, *terms = tape.gradient(outputs, [x, *floats], (dx, d_log_det), tf.UnconnectedGradients.ZERO)
            return i + 1, dx, [array.write(k, term) for array, term in zip(gradients, terms, strict=True)]

        arrays = [
            self._array(tf.TensorSpec(v.shape[1:], v.dtype)) for v, f in zip(stacked, differentiable, strict=True) if f
        ]
        _, dx, arrays = self._repeat(body, (tf.constant(0), d_result, arrays))
        gradients = iter(arrays)
        return dx, *(next(gradients).stack() if f else None for f in differentiable)

    def _array(self, spec):
        return tf.TensorArray(spec.dtype, self.count, element_shape=spec.shape)

    def _repeat(self, body, state):
        return tf.while_loop(lambda k, *_: k < self.count, body, state, maximum_iterations=self.count)
