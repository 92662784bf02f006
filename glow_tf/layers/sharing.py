"""One traced function for the K equal steps of a level, and their recomputation in the backward pass.

K steps of a level are the same function of different weights. In a graph each becomes a call of one function that takes
the weights as arguments: tracing, optimising and starting a deep flow costs little more than one step a level.
"""

import keras
import tensorflow as tf

from glow_tf.layers.network import mixed_precision_active


def run_steps(steps, method, x, recompute=False):
    """Calls `method`, "encode" or "decode", of each layer in turn; `(result, sum of log-determinants)`.

    Args:
        steps: built layers of equal shapes and options.
        x: `[B, ...]`.
        recompute: keep only each step's input and compute the rest again in the backward pass; memory then hardly
            grows with the number of steps, at 1.05 to 1.25 times the time.
    """
    run = _plain(method) if tf.executing_eagerly() else _shared(steps[0], method)
    total = tf.zeros(tf.shape(x)[:1], x.dtype)
    for step in steps:
        weights = [tf.convert_to_tensor(v.value) for v in step.trainable_variables]
        call = run(step)
        x, log_det = (tf.recompute_grad(call) if recompute else call)(x, *weights)
        total += log_det
    return x, total


def _call(layer, method, x, values):
    """The layer's method with other values for its variables."""
    with keras.StatelessScope(state_mapping=values):
        return getattr(layer, method)(x)


def _plain(method):
    return lambda step: (
        lambda x, *weights: _call(step, method, x, list(zip(step.trainable_variables, weights, strict=True)))
    )


def _shared(template, method):
    function = _traced(template, method)

    def run(step):
        fixed = [tf.convert_to_tensor(v.value) for v in step.non_trainable_variables]
        return lambda x, *weights: function(x, *weights, *fixed)

    return run


def _traced(template, method):
    """The traced function of a step, made once and kept with it, so that every graph calls the same few traces.

    It depends on the precision in which it is traced, and on which variables come first.
    """
    variables = [*template.trainable_variables, *template.non_trainable_variables]
    key = (method, mixed_precision_active(), *map(id, variables))
    functions = template.__dict__.setdefault("_traced_functions", {})  # past Keras, which would track it
    if key not in functions:

        @tf.function(autograph=False, experimental_attributes={"_noinline": True})
        def function(x, *values):
            return _call(template, method, x, list(zip(variables, values, strict=True)))

        functions[key] = function
    return functions[key]
