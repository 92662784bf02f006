"""Groups of images that one call of the pipeline's function makes, and the batches of which they are parts."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from glow_tf.autograph import without_autograph
from glow_tf.data.source import Source
from glow_tf.types import ImageShape, Tensor

MAX_GROUP_IMAGES = 64
MAX_GROUP_VALUES = 2**18
"""Images, and values of all of them, that one call of the pipeline's function makes.

A call for each small image would take longer to be handed to a thread than to make the image.
"""


def read_group(
    source: Source,
    rows: Tensor,
    image_shape: ImageShape,
    read: Callable[..., dict[str, Tensor]],
    arguments: tuple[Tensor, ...],
) -> dict[str, Tensor]:
    """Return decoded records with fitted images, at once where the source has them decoded, else one by one.

    Args:
        source: the source of the records.
        rows: the numbers of the records, int64 `[n]`.
        image_shape: the shape that the images are fitted to.
        read: function of the slices of `arguments` that returns one decoded record with its fitted image.
        arguments: tensors `[n, ...]`.
    """
    spec = {
        "image": tf.TensorSpec(image_shape, tf.uint8),
        "label": tf.TensorSpec([], tf.int32),
        "attributes": tf.TensorSpec([len(source.attribute_names)], tf.int32),
        "valid": tf.TensorSpec([], tf.bool),
    }
    can_gather = source.can_gather(rows, image_shape)
    if can_gather is True:
        return source.gather(rows)
    if can_gather is False:
        return map_slices(read, arguments, spec)
    records = tf.cond(can_gather, lambda: source.gather(rows), lambda: map_slices(read, arguments, spec))
    return {key: tf.ensure_shape(records[key], [*rows.shape, *spec[key].shape]) for key in spec}


def map_slices(function: Callable[..., Any], arguments: tuple[Tensor, ...], spec: Any) -> Any:
    """Return the stacked results of a function of the slices of tensors `[n, ...]`."""
    function = without_autograph(function)
    return tf.map_fn(lambda slices: function(*slices), arguments, fn_output_signature=spec)


def batched(
    positions: tf.data.Dataset,
    group: Callable[[Tensor], dict[str, Tensor]],
    batch_size: int,
    image_shape: ImageShape,
) -> tf.data.Dataset:
    """Return the batches of the examples that `group` makes of positions `[n]`."""
    size = _group_size(batch_size, math.prod(image_shape))
    group = without_autograph(group)
    dataset = positions.batch(size, drop_remainder=True).map(group, tf.data.AUTOTUNE, deterministic=True)
    if size < batch_size:
        groups = dataset.batch(
            batch_size // size, drop_remainder=True, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        dataset = groups.map(_merge_groups)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _group_size(batch_size: int, values: int) -> int:
    """Return how many images, of so many values each, are made together: a divisor of the batch size."""
    most = max(1, min(MAX_GROUP_IMAGES, MAX_GROUP_VALUES // values))
    return max(size for size in range(1, most + 1) if batch_size % size == 0)


def _merge_groups(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reshape `[groups, n, ...]` to `[groups * n, ...]`."""
    return {key: tf.reshape(value, [-1, *value.shape[2:]]) for key, value in batch.items()}
