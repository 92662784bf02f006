"""Recompute the results of a function in the backward pass, instead of keeping them in memory.

`tf.recompute_grad` does the same, but refuses second-order gradients. Here the gradient consists of plain operations on
the arguments, so it can be differentiated again. Forward mode (`tf.autodiff.ForwardAccumulator`) is refused, unless it
is around a whole `tf.function`, whose tangents TensorFlow computes in another way.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record  # tf.recompute_grad uses the same

from glow_tf.types import Tensor


def recompute(function: Callable[..., tuple[Tensor, ...]], *args: Tensor) -> Any:
    """Return `function(*args)`; its gradient computes the function again.

    Args:
        function: function of tensors that returns a tuple of tensors and reads no variable.
        *args: float tensors.

    Returns:
        The tuple of `function`.

    Raises:
        NotImplementedError: a `tf.autodiff.ForwardAccumulator` follows an argument.
    """
    refuse_forward_mode(args, "recompute=True; make the flow with recompute=False for them")

    @tf.custom_gradient
    def run(*args: Tensor) -> Any:
        with record.stop_recording():
            results = function(*args)

        def gradient(*upstream: Tensor) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                sources = _delay(args, upstream[0])
                tape.watch(sources)
                recomputed = function(*sources)
            return tape.gradient(recomputed, sources, list(upstream), tf.UnconnectedGradients.ZERO)

        return results, gradient

    return run(*args)


def refuse_forward_mode(args: Sequence[Tensor], what: str) -> None:
    """Raise a `NotImplementedError` if a `tf.autodiff.ForwardAccumulator` follows an argument.

    Its tangents would be lost in silence, or fail without a reason.
    """
    if forwardprop_util.pack_tangents(list(args)).tangents:
        raise NotImplementedError(f"forward-mode derivatives do not go through {what}.")


def _delay(values: Sequence[Tensor], upstream: Tensor) -> list[Tensor]:
    """Return the values as tensors that cannot be computed before `upstream`, the gradient from the later steps.

    Otherwise a graph may compute them early and keep them. XLA ignores control dependencies, so this adds a zero that
    depends on it.
    """
    if tf.executing_eagerly():
        return [tf.identity(v) for v in values]
    element = tf.cast(tf.reduce_max(tf.reshape(upstream, [-1])[:1]), tf.bool)  # NaN too is a bool
    zero = tf.where(element == element, 0.0, 1.0)
    return [v + tf.cast(zero, v.dtype) for v in values]
