"""Run the K equal steps of a level as one loop, for XLA.

XLA inlines every call, so K steps in a row would be compiled K times, which takes minutes at K=32. Here the steps are
one `tf.while_loop` over their stacked values. The program of the loop does not grow with K; only the stacking does.

**The backward pass** is a separate loop. TensorFlow's gradient of a loop would add a gradient of the size of all K
steps in each of the K iterations. This loop runs the steps backwards from their stored inputs and writes each step's
gradient into its place. It takes the activations of the coupling network from the forward loop
(`layers/activations.py`), or, to save memory, computes them again.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from glow_tf.layers.activations import recording, replaying
from glow_tf.layers.network import mixed_precision, mixed_precision_active
from glow_tf.layers.recomputation import refuse_forward_mode
from glow_tf.types import Tensor


def run_in_loop(
    call: Callable[..., tuple[Tensor, Tensor]], x: Tensor, values: Sequence[Sequence[Tensor]], recompute: bool = False
) -> tuple[Tensor, Tensor]:
    """Run `x, log_det = call(x, *step_values)` for all steps in one loop.

    Args:
        call: function of `x` `[B, ...]` and of the values of a step, which reads no other variable.
        x: `[B, ...]`.
        values: a list of tensors for each step, with the same shapes in every step.
        recompute: compute the activations of the coupling networks again in the backward pass.

    Returns:
        `(result, log_det)`; the log-determinants `[B]` are summed.

    Raises:
        NotImplementedError: a `tf.autodiff.ForwardAccumulator` follows an argument.
    """
    tensors = [x, *(tensor for step_values in values for tensor in step_values)]
    refuse_forward_mode(tensors, "the loop of a compiled function; take them outside of it, or without jit_compile")
    return _Loop(call, x, values, recompute).run()


class _Loop:
    def __init__(
        self,
        call: Callable[..., tuple[Tensor, Tensor]],
        x: Tensor,
        values: Sequence[Sequence[Tensor]],
        recompute: bool,
    ) -> None:
        self.call, self.x, self.count = call, x, len(values)
        self.stacked = [tf.stack(tensors) for tensors in zip(*values, strict=True)]
        self.mixed = mixed_precision_active()
        self.x_spec = tf.TensorSpec(x.shape, x.dtype)
        self.activation_specs = [] if recompute else self._trace_activations()

    def _trace_activations(self) -> list[tf.TensorSpec]:
        """Return the shapes and dtypes of the tensors that a step records, from a trace that is thrown away."""

        def trace(x: Tensor, *values: Tensor) -> list[Tensor]:
            with recording() as recorded:
                self.call(x, *values)
            return recorded

        specs = [tf.TensorSpec(v.shape[1:], v.dtype) for v in self.stacked]
        return tf.function(trace, autograph=False).get_concrete_function(self.x_spec, *specs).structured_outputs

    def run(self) -> tuple[Tensor, Tensor]:
        """Return the result of all steps and the sum of their log-determinants."""

        @tf.custom_gradient
        def steps(x: Tensor, *stacked: Tensor) -> Any:
            result, log_det, inputs, activations = self._forward(x, stacked)

            def gradient(d_result: Tensor, d_log_det: Tensor) -> tuple[Tensor | None, ...]:
                with mixed_precision(self.mixed):
                    return self._backward(d_result, d_log_det, stacked, inputs, activations)

            return (result, log_det), gradient

        return steps(self.x, *self.stacked)

    def _forward(self, x: Tensor, stacked: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Return the result, the log-determinant, and what the backward pass reads, `[K, ...]`.

        These are tensors, because no `tf.TensorArray` leaves the compiled function, as it would if the gradient is
        taken outside of it.
        """

        def body(
            k: Tensor, x: Tensor, total: Tensor, inputs: tf.TensorArray, activations: list[tf.TensorArray]
        ) -> tuple[Any, ...]:
            inputs = inputs.write(k, x)
            with recording() if self.activation_specs else contextlib.nullcontext([]) as recorded:
                result, log_det = self.call(x, *(v[k] for v in stacked))
            activations = [array.write(k, tensor) for array, tensor in zip(activations, recorded, strict=True)]
            return k + 1, tf.ensure_shape(result, x.shape), total + log_det, inputs, activations

        total = tf.zeros(tf.shape(x)[:1], x.dtype)
        arrays = [self._array(spec) for spec in self.activation_specs]
        _, x, total, inputs, activations = self._repeat(body, (0, x, total, self._array(self.x_spec), arrays))
        return x, total, inputs.stack(), [array.stack() for array in activations]

    def _backward(
        self,
        d_result: Tensor,
        d_log_det: Tensor,
        stacked: Sequence[Tensor],
        inputs: Tensor,
        activations: list[Tensor],
    ) -> tuple[Tensor | None, ...]:
        is_float = [v.dtype.is_floating for v in stacked]
        input_array = self._array(self.x_spec).unstack(inputs)
        activation_arrays = [
            self._array(spec).unstack(tensor) for spec, tensor in zip(self.activation_specs, activations, strict=True)
        ]

        def body(i: Tensor, dx: Tensor, gradients: list[tf.TensorArray]) -> tuple[Any, ...]:
            k = self.count - 1 - i
            x = tf.ensure_shape(input_array.read(k), self.x_spec.shape)
            values = [v[k] for v in stacked]
            sources = [x, *(v for v, f in zip(values, is_float, strict=True) if f)]
            recorded = [
                tf.ensure_shape(a.read(k), s.shape)
                for a, s in zip(activation_arrays, self.activation_specs, strict=True)
            ]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(sources)
                with replaying(recorded) if recorded else contextlib.nullcontext():
                    outputs = self.call(x, *values)
            gradient, *terms = tape.gradient(outputs, sources, [dx, d_log_det], tf.UnconnectedGradients.ZERO)
            return i + 1, gradient, [array.write(k, term) for array, term in zip(gradients, terms, strict=True)]

        specs = [tf.TensorSpec(v.shape[1:], v.dtype) for v, f in zip(stacked, is_float, strict=True) if f]
        _, dx, arrays = self._repeat(body, (0, d_result, [self._array(spec) for spec in specs]))
        gradients = iter(arrays)
        return dx, *(next(gradients).stack() if f else None for f in is_float)

    def _array(self, spec: tf.TensorSpec) -> tf.TensorArray:
        return tf.TensorArray(spec.dtype, self.count, element_shape=spec.shape)

    def _repeat(self, body: Callable[..., tuple[Any, ...]], state: tuple[Any, ...]) -> tuple[Any, ...]:
        return tf.while_loop(lambda k, *_: k < self.count, body, state, maximum_iterations=self.count)
