"""The one pipeline: from a source to batches, parallel, prefetched, repeatable.

A batch is a dictionary:

| key | value |
|---|---|
| `image` | uint8 `[B, H, W, C]`, fitted and augmented, not yet quantized |
| `label` | int32 `[B]` |
| `attributes` | int32 `[B, a]` |
| `noise` | float32 `[B, H, W, C]`, uniform in [0, 1), for dequantization |
| `weight` | float32 `[B]`: 1, or 0 for padding and damaged images in an evaluation |
| `index` | int64 `[B]`: position in the order of training, or in the split |

Everything random about an image is a function of (seed, position), so the number of images in a batch, of replicas and
of machines, and the step at which a run is resumed change nothing.
"""

import numpy as np
import tensorflow as tf

from glow_tf.data import images as image_ops
from glow_tf.errors import DataError

# The streams of random numbers of one seed. EVALUATION must have the largest number: draw n of the evaluation noise is
# stream EVALUATION + n, so a stream above it would repeat the numbers of one of the draws.
ORDER = 0  # the permutation of each epoch
AUGMENTATION = 1  # random crops, and the augmentation of cropped images
NOISE = 2  # dequantization noise in training
EVALUATION = 3  # dequantization noise in an evaluation

MAX_POSITION = np.iinfo(np.int64).max


def training_batches(
    source, config, *, image_shape, batch_size, seed, start_step=0, input_pipelines=1, input_pipeline_id=0
):
    """Return a `tf.data.Dataset` of batches without end, each epoch in an order of its own.

    Args:
        source: a `Source`.
        config: its `DataConfig`.
        image_shape: `(H, W, C)`.
        batch_size: int, images of the global batch.
        seed: int, for order, augmentation and noise.
        start_step: int, the step of the first batch; no earlier batch is read.
        input_pipelines: int, the number of machines; each gets a contiguous part of each batch.
        input_pipeline_id: int, the number of this machine.
    """
    rows, part = tf.constant(source.rows_of("train")), batch_size // input_pipelines
    count = len(source.rows_of("train"))

    def element(i):
        step = i // part
        position = step * batch_size + input_pipeline_id * part + i % part
        record = _decode_first_valid(source, rows, shuffled(position, count, seed), count)
        # The crop and the augmentation of an image share a stream: one takes its even positions, one its odd ones.
        crop_seed = stream_seed(seed, AUGMENTATION, 2 * position)
        augmentation_seed = stream_seed(seed, AUGMENTATION, 2 * position + 1)
        image = image_ops.fit(record["image"], image_shape, config.fit, crop_seed)
        image = image_ops.augment(image, config.augment, config.flip, augmentation_seed)
        return _example(record, image, stream_seed(seed, NOISE, position), position)

    return _batched(tf.data.Dataset.range(start_step * part, MAX_POSITION), element, part)


def evaluation_batches(source, split, config, *, image_shape, batch_size, seed, draw=0, rows=None):
    """Return a `tf.data.Dataset` of batches that hold each image of a split once, in order.

    The last batch is filled up with images of weight 0.

    Args:
        source: a `Source`.
        split: name of the split.
        config: a `DataConfig`.
        image_shape: `(H, W, C)`.
        batch_size: int.
        seed: int, for the dequantization noise.
        draw: int; a different `draw` gives different noise.
        rows: int `[n]`, the records to read in this order instead of those of the split.
    """
    rows = source.rows_of(split) if rows is None else np.asarray(rows, np.int64)
    count = len(rows)
    if not count:
        raise DataError(f"{source.name}: there are no images to read.")
    rows, padded_count = tf.constant(rows), -(-count // batch_size) * batch_size

    def element(i):
        position = tf.minimum(i, count - 1)
        record = source.decode(source.read(rows[position]))
        image = image_ops.fit(record["image"], image_shape, config.fit, valid=record["valid"])
        example = _example(record, image, stream_seed(seed, EVALUATION + draw, position), position)
        return {**example, "weight": tf.where(i < count, example["weight"], 0.0)}

    return _batched(tf.data.Dataset.range(padded_count), element, batch_size)


def arrays(source, split, config, image_shape, limit=None, rows=None):
    """Read the images of a split into memory; damaged ones are left out.

    Args:
        source: a `Source`.
        split: name of the split.
        config: a `DataConfig`.
        image_shape: `(H, W, C)`.
        limit: int, the number of images to read at most; None reads all.
        rows: int `[n]`, the records to read in this order instead of those of the split.

    Returns:
        NumPy arrays `(images uint8 [n, H, W, C], labels int32 [n], attributes int32 [n, a])`.
    """
    batches = evaluation_batches(source, split, config, image_shape=image_shape, batch_size=64, seed=0, rows=rows)
    columns = {"image": [], "label": [], "attributes": []}
    for batch in batches.take(-1 if limit is None else -(-limit // 64)).as_numpy_iterator():
        for key, parts in columns.items():
            parts.append(batch[key][batch["weight"] > 0])
    return tuple(np.concatenate(parts)[:limit] for parts in columns.values())


def shuffled(position, count, seed):
    """Return the index of the record at a position of the endless order.

    The order of each epoch is a permutation keyed on (seed, epoch).
    """
    key = stream_seed(seed, ORDER, position // count)
    return tf.random.experimental.index_shuffle(position % count, key, tf.constant(count - 1, tf.int64))


def stream_seed(seed, stream, position):
    """Return a seed int64 `[2]` for the stateless random numbers of one stream at one position."""
    return tf.stack([tf.constant(seed * 1_000_003 + stream, tf.int64), tf.cast(position, tf.int64)])


def _decode_first_valid(source, rows, index, count):
    """Return the decoded record of `rows[index]`, or of the next row that is not damaged."""
    record = source.decode(source.read(rows[index]))
    if not source.skips_damaged:
        return record

    def decode_next(index, record):
        index = (index + 1) % count
        return index, source.decode(source.read(rows[index]))

    def is_damaged(index, record):
        return ~record["valid"]

    return tf.while_loop(is_damaged, decode_next, [index, record], maximum_iterations=count)[1]


def _example(record, image, noise_seed, position):
    """Return the element of a batch (see the module) that belongs to a decoded record and its fitted image."""
    return {
        "image": image,
        "label": record["label"],
        "attributes": record["attributes"],
        "noise": tf.random.stateless_uniform(image.shape, noise_seed),
        "weight": tf.cast(record["valid"], tf.float32),
        "index": position,
    }


def _batched(positions, element, batch_size):
    element = tf.autograph.experimental.do_not_convert(element)
    dataset = positions.map(element, tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE)
