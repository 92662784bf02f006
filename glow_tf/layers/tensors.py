"""Shapes and sums that several layers need; a value is a tensor, or a list of them where a layer splits its input."""

import math

import tensorflow as tf
from tensorflow.python.ops import control_flow_util  # TFP reads the same


def map_latents(function, value):
    """Apply `function` to a tensor, or to each tensor of a list of latents."""
    if isinstance(value, (list, tuple)):
        return [function(v) for v in value]
    return function(value)


def first_latent(value):
    """Return the tensor itself, or the first of a list of latents."""
    return value[0] if isinstance(value, (list, tuple)) else value


def flatten_to_event(value, event_shape, name):
    """Flatten the leading dimensions of a tensor of unknown rank, or of a list of them, to `[B, *event_shape]`.

    The last sizes are asserted to be those of `event_shape`, a tuple of ints, or a list of tuples.
    """
    if isinstance(value, (list, tuple)):
        return [flatten_to_event(v, shape, name) for v, shape in zip(value, event_shape, strict=True)]
    message = f"{name}: expected shape [..., {', '.join(map(str, event_shape))}]"
    assertion = tf.debugging.assert_equal(tf.shape(value)[-len(event_shape) :], event_shape, message)
    with tf.control_dependencies([assertion]):
        return tf.reshape(value, [-1, *event_shape])


def spatial_size(x):
    """Return the number of spatial positions of `x` `[B, ..., C]` as a scalar of its dtype (1 for a vector)."""
    if x.shape[1:-1].is_fully_defined():
        return tf.constant(x.shape[1:-1].num_elements(), x.dtype)
    return tf.cast(tf.reduce_prod(tf.shape(x)[1:-1]), x.dtype)


def broadcast_per_example(log_det, x):
    """Broadcast a log-determinant that is the same for every example to shape `[B]`."""
    return tf.broadcast_to(log_det, tf.shape(x)[:1])


def sum_per_example(x):
    """Sum all but the first axis: `[B, ...] -> [B]`."""
    return tf.reduce_sum(x, axis=list(range(1, x.shape.rank)))


def standard_normal_log_prob(latents):
    """Compute `log N(z; 0, I)`, summed over the latents `[n, ...]`, a tensor or a list of them: `[n]`, in nats."""
    latents = latents if isinstance(latents, list) else [latents]
    return tf.add_n([-0.5 * sum_per_example(tf.square(z) + math.log(2.0 * math.pi)) for z in latents])


def reshape_like(x, value, *channels):
    """Reshape `value` to `[*x.shape[:-1], *channels]`, keeping static sizes."""
    sizes = [*x.shape[:-1], *channels]
    if sizes.count(None) > 1:
        return tf.reshape(value, tf.concat([tf.shape(x)[:-1], channels], 0))
    return tf.reshape(value, [-1 if size is None else size for size in sizes])


def scaled(size, numerator=1, denominator=1):
    """Return `size * numerator // denominator`, or None for an unknown size."""
    return None if size is None else size * numerator // denominator


def compiled_by_xla():
    """Return whether the graph that is being traced will be compiled by XLA."""
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
