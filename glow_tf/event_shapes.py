"""Apply a layer's shape functions to shapes that have further axes in front, or sizes that only a graph knows.

TFP asks a bijector for the event shape on its other side in three forms: a `TensorShape`, a tensor, and each of them
with more axes than the bijector's own, which stay as they are. A flow layer answers for its own axes alone
(`encoded_shape`, `decoded_shape`), in ints, with None for an unknown size.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from glow_tf.counts import counted
from glow_tf.types import EventShape, Tensor


def map_event_shape(
    function: Callable[[Any], EventShape], shape: Any, ndims: int | list[int], result_ndims: int | list[int], name: str
) -> Any:
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
        unknown = tf.TensorShape(None)  # pyright: ignore[reportArgumentType] (TensorFlow's stubs do not know None)
        return tf.nest.map_structure(lambda _: unknown, result_ndims)
    for s, count in zip(shapes, counts, strict=True):
        if s.rank < count:
            raise ValueError(
                f"{name}: expected a shape of at least {counted(count, 'event axis', 'event axes')}, got {s}."
            )
    result = _apply(function, shape, [tuple(s[s.rank - n :]) for s, n in zip(shapes, counts, strict=True)])
    lead = shapes[0][: shapes[0].rank - counts[0]]
    results = [lead.concatenate(tf.TensorShape(s)) for s in _as_list(result, result_ndims)]
    return tf.nest.pack_sequence_as(result_ndims, results)


def map_event_shape_tensor(
    function: Callable[[Any], EventShape], shape: Any, ndims: int | list[int], result_ndims: int | list[int]
) -> Any:
    """Return the shape on the other side as an int32 tensor (or a list).

    Args:
        function: `encoded_shape` or `decoded_shape` of a layer.
        shape: int32 `[k]`, or a list of them where the layer has a list of latents.
        ndims: number of event axes of the layer on this side, or a list.
        result_ndims: the same on the other side.

    Raises:
        ValueError: the shape has fewer axes than the layer.
    """
    pairs = [_split(s, n) for s, n in zip(tf.nest.flatten(shape), tf.nest.flatten(ndims), strict=True)]
    result = _apply(function, shape, [event for _, event in pairs])
    results = [tf.concat([pairs[0][0], tf.stack(s)], 0) for s in _as_list(result, result_ndims)]
    return tf.nest.pack_sequence_as(result_ndims, results)


def _split(shape: Tensor, count: int) -> tuple[Tensor, tuple[Any, ...]]:
    """Return the leading sizes of a shape tensor as a tensor, and the last `count` as ints, or scalars of a graph."""
    value = tf.get_static_value(shape)
    if value is None:
        # `tf.split`, as a slice of too short a shape would begin at its end.
        lead, event = tf.split(tf.cast(shape, tf.int32), [tf.size(shape) - count, count])
        return lead, tuple(tf.unstack(event, num=count))
    if len(value) < count:
        raise ValueError(
            f"expected a shape of at least {counted(count, 'event axis', 'event axes')}, got {value.tolist()}."
        )
    return tf.constant(value[: len(value) - count], tf.int32), tuple(int(size) for size in value[len(value) - count :])


def _apply(function: Callable[[Any], EventShape], shape: Any, events: Sequence[tuple[Any, ...]]) -> EventShape:
    return function(events if isinstance(shape, (list, tuple)) else events[0])


def _as_list(result: EventShape, ndims: int | list[int]) -> Sequence[Any]:
    return result if isinstance(ndims, (list, tuple)) else [result]
