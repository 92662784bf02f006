"""One traced function for the K equal steps of a level.

K steps of a level are the same function of different weights. In a graph each becomes a call of one function that takes
the weights as arguments: tracing, optimising and starting a deep flow costs little more than one step a level.
"""

import keras
import tensorflow as tf


def run_steps(steps, method, x):
    """Calls `method`, "encode" or "decode", of each layer in turn; `(result, sum of log-determinants)`.

    Args:
        steps: built layers of equal shapes and options.
        x: `[B, ...]`.
    """
    run = _plain(method) if tf.executing_eagerly() else _shared(steps[0], method)
    total = tf.zeros(tf.shape(x)[:1], x.dtype)
    for step in steps:
        x, log_det = run(step, x)
        total += log_det
    return x, total


def _plain(method):
    return lambda step, x: getattr(step, method)(x)


def _shared(template, method):
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def function(x, *weights):
        with keras.StatelessScope(state_mapping=list(zip(template.variables, weights, strict=True))):
            return getattr(template, method)(x)

    def run(step, x):
        return function(x, *(tf.convert_to_tensor(v.value) for v in step.variables))

    return run
