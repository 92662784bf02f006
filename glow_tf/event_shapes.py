"""Apply a layer's shape functions to shapes that have further axes in front, or sizes that only a graph knows.

TFP asks a bijector for the event shape on its other side in three forms: a `TensorShape`, a tensor, and each of them
with more axes than the bijector's own, which stay as they are. A flow layer answers for its own axes alone
(`encoded_shape`, `decoded_shape`), in ints, with None for an unknown size.
"""

import tensorflow as tf


def map_event_shape(function, shape, ndims, result_ndims, name):
    """Return the `TensorShape` on the other side: unknown for an unknown rank.

    Args:
        function: `encoded_shape` or `decoded_shape` of a layer.
        shape: `TensorShape`, or a list of them where the layer has a list of latents.
        ndims: number of event axes of the layer on this side, or a list.
        result_ndims: the same on the other side.
        name: name of the bijector, for the error message.

    Raises:
        ValueError: the shape has fewer axes than the layer.
    """
    shapes, counts = tf.nest.flatten(shape), tf.nest.flatten(ndims)
    if any(s.rank is None for s in shapes):
        return tf.nest.map_structure(lambda _: tf.TensorShape(None), result_ndims)
    for s, count in zip(shapes, counts, strict=True):
        if s.rank < count:
            raise ValueError(f"{name}: expected a shape of at least {count} event axes, got {s}.")
    result = _apply(function, shape, [tuple(s[s.rank - n :]) for s, n in zip(shapes, counts, strict=True)])
    lead = shapes[0][: shapes[0].rank - counts[0]]
    results = [lead.concatenate(tf.TensorShape(s)) for s in _as_list(result, result_ndims)]
    return tf.nest.pack_sequence_as(result_ndims, results)


def map_event_shape_tensor(function, shape, ndims, result_ndims):
    """Return the shape on the other side as an int32 tensor (or a list); arguments as in `map_event_shape`."""
    shapes, counts = tf.nest.flatten(shape), tf.nest.flatten(ndims)
    result = _apply(function, shape, [_sizes(s, n) for s, n in zip(shapes, counts, strict=True)])
    lead = tf.cast(shapes[0][: tf.size(shapes[0]) - counts[0]], tf.int32)
    results = [
        tf.concat([lead, tf.stack([tf.cast(size, tf.int32) for size in s])], 0) for s in _as_list(result, result_ndims)
    ]
    return tf.nest.pack_sequence_as(result_ndims, results)


def _apply(function, shape, events):
    return function(events if isinstance(shape, (list, tuple)) else events[0])


def _as_list(result, ndims):
    return result if isinstance(ndims, (list, tuple)) else [result]


def _sizes(shape, count):
    """Return the last `count` sizes of a shape tensor: ints where Python knows them, else scalar tensors."""
    sizes = tf.unstack(shape[tf.size(shape) - count :], num=count)
    known = [tf.get_static_value(size) for size in sizes]
    return tuple(size if value is None else int(value) for size, value in zip(sizes, known, strict=True))
