"""Run the K equal steps of a level through one traced function, with recomputation in the backward pass if asked.

**The plain code.** K steps of a level are the same function of different weights:

    total = 0
    for step in steps:
        x, log_det = step.encode(x)
        total += log_det

`run_steps_plainly` is that code, and the tests compare the two (`tests/layers/test_fast_paths.py`,
`tests/test_model.py::test_shared_traces_match_the_plain_composition`).

**The trick.** Inside a graph that loop would trace every step anew. Instead the first step is traced once, as a
`tf.function` of `x` and of the step's weights, and called K times with the weights of step 0, 1, ...:
`keras.StatelessScope` makes the first step read the tensors it is given in place of its own variables. One step may
stand for all, because they have the same class, options and shapes. `_noinline` keeps TensorFlow's optimizer from
copying the function into the graph K times. The function is kept with the first step, so that every graph (training,
validation, the seven signatures of an export) calls the same trace.

**The gain.** A graph grows by fewer than 30 nodes a step instead of by all of a step's operations; tracing, optimizing
and starting a deep flow cost little more than one step a level. Exporting a model of L=2, K=2 takes 3.7 s instead of
7.3 s with the function kept, and a second graph over L=3, K=8 is traced in 1.2 s instead of 1.8 s (two cores of an AMD
EPYC).

Recomputation (`tf.recompute_grad`) takes a function of the weights too, so it comes with the same calls.
"""

import functools

import keras
import tensorflow as tf

from glow_tf.layers.network import mixed_precision_active


def run_steps(steps, method, x, recompute=False):
    """Run `method` of each layer in turn.

    Args:
        steps: built layers of equal class, shapes and options.
        method: `"encode"` or `"decode"`.
        x: `[B, ...]`.
        recompute: keep only each step's input and compute the rest again in the backward pass; memory then hardly
            grows with the number of steps, at 1.05 to 1.25 times the time.

    Returns:
        `(result, log_det)`; the log-determinants `[B]` are summed.
    """
    if tf.executing_eagerly() and not recompute:
        return run_steps_plainly(steps, method, x)
    traced = None if tf.executing_eagerly() else _traced_call(steps[0], method)
    total = tf.zeros(tf.shape(x)[:1], x.dtype)
    for step in steps:
        weights = [tf.convert_to_tensor(v.value) for v in step.trainable_variables]
        if traced is None:
            call = functools.partial(_call_with_weights, step, method)
        else:
            constants = [tf.convert_to_tensor(v.value) for v in step.non_trainable_variables]
            call = functools.partial(_call_traced, traced, constants)
        x, log_det = (tf.recompute_grad(call) if recompute else call)(x, *weights)
        total += log_det
    return x, total


def run_steps_plainly(steps, method, x):
    """Compute the same step by step: what eager code runs, and the reference of the tests."""
    total = tf.zeros(tf.shape(x)[:1], x.dtype)
    for step in steps:
        x, log_det = getattr(step, method)(x)
        total += log_det
    return x, total


def _call_with_weights(step, method, x, *weights):
    """Call a step's method with these tensors as its trainable weights."""
    values = zip(step.trainable_variables, weights, strict=True)
    with keras.StatelessScope(state_mapping=list(values)):
        return getattr(step, method)(x)


def _traced_call(template, method):
    """Return a `tf.function` of `(x, *weights, *constants)` that runs the template's method on any step's values.

    It is made once for the precision in which it is traced and the order of its arguments, and kept with the template.
    """
    variables = [*template.trainable_variables, *template.non_trainable_variables]
    key = (method, mixed_precision_active(), *map(id, variables))
    functions = template.__dict__.setdefault("_traced_calls", {})  # not by `setattr`: Keras would track it
    if key not in functions:

        @tf.function(autograph=False, experimental_attributes={"_noinline": True})
        def function(x, *values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return getattr(template, method)(x)

        functions[key] = function
    return functions[key]


def _call_traced(traced, constants, x, *weights):
    """Call the traced function with a step's weights, which gradients reach, and its untrained variables."""
    return traced(x, *weights, *constants)
