"""Run the K equal steps of a level: shared work once, the rest step by step, optionally with recomputation.

**The plain code.** K steps of a level are the same function of different weights:

    total = 0
    for step in steps:
        x, log_det = step.encode(x)
        total += log_det

`run_steps_plainly` is that code, and the tests compare the two (`tests/layers/test_fast_paths.py`,
`tests/test_model.py::test_shared_traces_match_the_plain_composition`).

**The tricks.** (1) What does not depend on the input, the folded matrices of actnorm and 1x1 convolution with their
inverses and determinants, is computed for all steps at once (`FlowStep.fold`). (2) Inside a graph the loop would trace
every step anew. Instead the first step is traced once, as a `tf.function` of `x` and of the values of a step, and
called K times with the values of step 0, 1, ...: `keras.StatelessScope` makes the first step read the tensors it is
given in place of its own variables. One step may stand for all, because they have the same class, options and shapes;
networks of the user's own are compared first (`own_networks.py`), and steps that cannot share a trace run plainly.
`_noinline` keeps TensorFlow's optimizer from copying the function into the graph K times. The function is kept with
the first step, so that every graph (training, validation, the seven signatures of an export) calls the same trace.
(3) XLA would inline the calls and compile K copies; it gets a loop (`layers/compiled_steps.py`), or, within
`unrolled_steps()`, K copies, which are faster on a GPU once they are compiled.

**The gain.** A graph grows by fewer than 30 nodes per step instead of by all operations of a step; tracing, optimizing
and starting a deep flow cost little more than one step per level. Exporting a model of L=2, K=2 takes 3.7 s instead of
7.3 s with the function kept, and a second graph over L=3, K=8 is traced in 1.2 s instead of 1.8 s (two cores of an AMD
EPYC).

Recomputation (`layers/recomputation.py`) also takes a function of the values, so it uses the same calls. The loop for
XLA has its own backward pass.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from glow_tf.layers.compiled_steps import run_in_loop
from glow_tf.layers.context_values import value_set
from glow_tf.layers.host_variables import value_of
from glow_tf.layers.keras_contract import in_training, training_mode
from glow_tf.layers.network import mixed_precision, mixed_precision_active
from glow_tf.layers.own_networks import reason_not_to_share
from glow_tf.layers.recomputation import recompute as recomputed
from glow_tf.layers.tensors import broadcast_per_example, compiled_by_xla, spatial_size
from glow_tf.types import Tensor

if TYPE_CHECKING:
    from glow_tf.layers.step import FlowStep

_inlinable = contextvars.ContextVar("inlinable", default=False)
_unrolled = contextvars.ContextVar("unrolled", default=False)


def inlinable_steps() -> AbstractContextManager[None]:
    """Trace steps without `_noinline` within the context, as converters of graphs to other formats need them."""
    return value_set(_inlinable, True)


def unrolled_steps(active: bool = True) -> AbstractContextManager[None]:
    """Let XLA compile each step by itself within the context, instead of one loop over them; read at trace time.

    Steps that recompute are a loop anyway, as XLA would join what is computed twice.

    Args:
        active: False keeps the loop.
    """
    return value_set(_unrolled, active)


def run_steps(steps: Sequence[FlowStep], method: str, x: Tensor, recompute: bool = False) -> tuple[Tensor, Tensor]:
    """Run `method` of each step in turn.

    Args:
        steps: built `FlowStep`s of equal shapes and options.
        method: `"encode"` or `"decode"`.
        x: `[B, ...]`.
        recompute: keep only each step's input, and compute the rest again in the backward pass. Memory then hardly
            grows with the number of steps; the time is 1.05 to 1.25 times as long.

    Returns:
        `(result, log_det)`; the log-determinants `[B]` are summed.

    Raises:
        ValueError: networks of the user's own that cannot share a trace are to be recomputed.
    """
    if tf.executing_eagerly() and not recompute:
        return run_steps_plainly(steps, method, x)
    reason = "" if steps[0].network is None else reason_not_to_share([step.coupling.network for step in steps])
    if reason and recompute:
        raise ValueError(
            f"{steps[0].name}: the coupling networks of this level {reason}; make the flow with recompute=False."
        )
    if reason:
        return run_steps_plainly(steps, method, x)
    values, constant = _values(steps, method)
    total = broadcast_per_example(spatial_size(x) * constant, x)
    # Known now: the backward pass may run after the context has ended. The default networks do not depend on it.
    training = None if steps[0].network is None else training_mode(steps[0])
    call = functools.partial(_call_with_values, steps[0], method, training)
    compiled = compiled_by_xla()
    if compiled and (recompute or not _unrolled.get()):
        x, log_det = run_in_loop(call, x, values, recompute)
        return x, total + log_det
    # XLA takes the arguments of a shared trace for constants in its gradient, and would compile at every step.
    if not compiled and not tf.executing_eagerly():
        call = _traced_call(steps[0], (method, training), call)
    for step_values in values:
        x, log_det = _call_recomputed(call, x, step_values) if recompute else call(x, *step_values)
        total += log_det
    return x, total


def run_steps_plainly(steps: Sequence[FlowStep], method: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the same step by step; eager code runs this, and it is the reference of the tests."""
    total = tf.zeros(tf.shape(x)[:1], x.dtype)
    for step in steps:
        x, log_det = getattr(step, method)(x)
        total += log_det
    return x, total


def _values(steps: Sequence[FlowStep], method: str) -> tuple[list[list[Tensor]], Tensor]:
    """Return, for each step, a list of all tensors that its `method` reads, and the constant log-determinant.

    The constant, a scalar, is the sum over the steps at one position.
    """
    weights = [[value_of(v) for v in step_weights(step)] for step in steps]
    if not steps[0].folds:
        return weights, tf.zeros([], steps[0].compute_dtype)
    matrices, biases, log_det = steps[0].fold(steps, method)
    folded = zip(tf.unstack(matrices), tf.unstack(biases), weights, strict=True)
    return [[matrix, bias, *others] for matrix, bias, others in folded], tf.reduce_sum(log_det)


def step_weights(step: FlowStep) -> list[keras.Variable]:
    """Return the variables that are handed to a step, in an order that does not depend on which are trainable."""
    return step.coupling.weights if step.folds else step.weights


def _call_with_values(
    template: FlowStep, method: str, training: bool | None, x: Tensor, *values: Tensor
) -> tuple[Tensor, Tensor]:
    """Run `method` of a step with the given values; `template` is any step of the same kind."""
    folded, weights = (values[:2], values[2:]) if template.folds else ((), values)
    mapping = list(zip(step_weights(template), weights, strict=True))
    mode = contextlib.nullcontext() if template.network is None else in_training(template, training)
    with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope, mode:
        result = template.run_folded(method, x, *folded) if template.folds else getattr(template, method)(x)
    if scope.losses or len(scope.state_mapping) > len(mapping):  # they would be lost without a word
        raise ValueError(
            f"{template.name}: the coupling network adds a loss, which the likelihood does not have, or changes a "
            "variable that is none of its own, as random numbers without a SeedGenerator do; leave this out."
        )
    return result


def _traced_call(
    template: FlowStep, mode: tuple[str, bool | None], call: Callable[..., tuple[Tensor, Tensor]]
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return `call` as a `tf.function`, made once for the contexts in which it is traced and kept with the step."""
    key = (*mode, mixed_precision_active(), _inlinable.get())
    functions = template.__dict__.setdefault("_traced_calls", {})  # not by `setattr`: Keras would track it
    if key not in functions:
        attributes = {} if _inlinable.get() else {"_noinline": True}
        functions[key] = tf.function(call, autograph=False, experimental_attributes=attributes)
    return functions[key]


def _call_recomputed(
    call: Callable[..., tuple[Tensor, Tensor]], x: Tensor, values: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Run `call(x, *values)`, and again in the backward pass instead of keeping what it computes."""
    is_float = [value.dtype.is_floating for value in values]
    mixed = mixed_precision_active()  # now: the backward pass may run after the context has ended

    def run(x: Tensor, *floats: Tensor) -> tuple[Tensor, Tensor]:
        remaining = iter(floats)
        with mixed_precision(mixed):
            return call(x, *(next(remaining) if f else value for f, value in zip(is_float, values, strict=True)))

    return recomputed(run, x, *(value for f, value in zip(is_float, values, strict=True) if f))
