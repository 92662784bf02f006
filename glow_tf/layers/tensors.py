"""Shapes and sums that several layers need; a value is a tensor, or a list of tensors if a layer splits its input."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import tensorflow as tf
from tensorflow.python.ops import control_flow_util  # TFP reads the same

from glow_tf.types import EventShape, Latents, Tensor


def map_latents(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply `function` to a tensor, or to each tensor of a list of latents."""
    if isinstance(value, (list, tuple)):
        return [function(v) for v in value]
    return function(value)


def first_latent(value: Any) -> Any:
    """Return the tensor itself, or the first of a list of latents."""
    return value[0] if isinstance(value, (list, tuple)) else value


def holds_tensors(value: Any) -> TypeGuard[Sequence[Any]]:
    """Return whether there are tensors or arrays in a list: then it is several values, a list of numbers is one.

    Example:
        >>> holds_tensors([[1.0, 2.0], [3.0, 4.0]]), holds_tensors([tf.ones([2]), tf.ones([2])])
        (False, True)
    """
    is_list = isinstance(value, (list, tuple))
    return is_list and any(getattr(v, "shape", ()) != () for v in tf.nest.flatten(value))


def flatten_to_event(value: Any, event_shape: EventShape, name: str) -> Any:
    """Flatten the leading dimensions of a tensor of unknown rank, or of a list of them, to `[B, *event_shape]`.

    Asserts that the last sizes are those of `event_shape`, a tuple of ints or a list of tuples.
    """
    if isinstance(value, (list, tuple)):
        return [flatten_to_event(v, shape, name) for v, shape in zip(value, event_shape, strict=True)]
    message = f"{name}: expected shape [..., {', '.join(map(str, event_shape))}]"
    assertion = tf.debugging.assert_equal(tf.shape(value)[-len(event_shape) :], event_shape, message)
    with tf.control_dependencies([assertion]):
        return tf.reshape(value, [-1, *event_shape])


def static_size(x: Tensor, axis: int = -1) -> int:
    """Return the size of an axis, which must be known when the graph is traced; by default the number of channels."""
    size = x.shape[axis]
    assert size is not None
    return size


def spatial_size(x: Tensor) -> Tensor:
    """Return the number of spatial positions of `x` `[B, ..., C]` as a scalar of its dtype (1 for a vector)."""
    if x.shape[1:-1].is_fully_defined():
        return tf.constant(x.shape[1:-1].num_elements(), x.dtype)
    return tf.cast(tf.reduce_prod(tf.shape(x)[1:-1]), x.dtype)


def broadcast_per_example(log_det: Tensor, x: Tensor) -> Tensor:
    """Broadcast a log-determinant that is the same for every example to shape `[B]`."""
    return tf.broadcast_to(log_det, tf.shape(x)[:1])


def sum_per_example(x: Tensor) -> Tensor:
    """Sum all but the first axis: `[B, ...] -> [B]`."""
    return tf.reduce_sum(x, axis=list(range(1, x.shape.rank)))


def standard_normal_log_prob(latents: Tensor | Latents) -> Tensor:
    """Compute `log N(z; 0, I)`, summed over the latents `[n, ...]`, a tensor or a list of them: `[n]`, in nats."""
    parts = latents if isinstance(latents, list) else [latents]
    return tf.add_n([-0.5 * sum_per_example(tf.square(z) + math.log(2.0 * math.pi)) for z in parts])


def reshape_like(x: Tensor, value: Tensor, *channels: int) -> Tensor:
    """Reshape `value` to `[*x.shape[:-1], *channels]`, keeping static sizes."""
    sizes = [*x.shape[:-1], *channels]
    if sizes.count(None) > 1:
        return tf.reshape(value, tf.concat([tf.shape(x)[:-1], channels], 0))
    return tf.reshape(value, [-1 if size is None else size for size in sizes])


def scaled(size: Any, numerator: int = 1, denominator: int = 1) -> Any:
    """Return `size * numerator // denominator`, or None for an unknown size; sizes are ints, or scalars of a graph."""
    return None if size is None else size * numerator // denominator


def compiled_by_xla() -> bool:
    """Return whether the graph that is being traced will be compiled by XLA."""
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
