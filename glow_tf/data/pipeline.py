"""The one pipeline: from a source to batches, parallel, prefetched, repeatable.

A batch is a dictionary:

| | |
|---|---|
| `image` | uint8 `[B, H, W, C]`, fitted and augmented, not yet quantised |
| `label` | int32 `[B]` |
| `attributes` | int32 `[B, a]` |
| `noise` | float32 `[B, H, W, C]`, uniform in [0, 1): dequantisation |
| `weight` | float32 `[B]`: 1, or 0 for padding and damaged images in an evaluation |
| `index` | int64 `[B]`: position in the order of training, or in the split |

All that is random about an image is a function of (seed, position), so neither batches, replicas, machines nor where a
run was taken up change anything.
"""

import numpy as np
import tensorflow as tf

from glow_tf.data import images as image_ops
from glow_tf.data.source import ArraySource

ORDER, AUGMENTATION, NOISE, EVALUATION = range(4)
"""The streams of random numbers that one seed gives."""

LARGEST = np.iinfo(np.int64).max


def training_batches(
    source, config, *, image_shape, batch_size, seed, start_step=0, input_pipelines=1, input_pipeline_id=0
):
    """Batches without end, each epoch in an order of its own.

    Args:
        source: a `Source`.
        config: its `DataConfig`.
        batch_size: of the global batch.
        seed: of order, augmentation and noise.
        start_step: where to begin; costs nothing, whatever it is.
        input_pipelines, input_pipeline_id: with several machines, this one gets its contiguous part of each batch.
    """
    rows, part = tf.constant(source.rows_of("train")), batch_size // input_pipelines
    count = len(source.rows_of("train"))

    def position(i):
        step = i // part
        return step * batch_size + input_pipeline_id * part + i % part

    def element(i):
        at = position(i)
        found = _readable(source, rows, shuffled(at, count, seed), count)
        image = image_ops.fit(found["image"], image_shape, config.fit, stream(seed, AUGMENTATION, 2 * at))
        image = image_ops.augment(image, config.augment, config.flip, stream(seed, AUGMENTATION, 2 * at + 1))
        return _example(found, image, stream(seed, NOISE, at), at)

    return _batched(tf.data.Dataset.range(start_step * part, LARGEST), element, part)


def evaluation_batches(source, split, config, *, image_shape, batch_size, seed, draw=0):
    """Each image of a split once, in order; the last batch is filled up with images of weight 0.

    Args:
        seed, draw: of the dequantisation noise; a new `draw` is new noise.
    """
    rows, count = tf.constant(source.rows_of(split)), source.size(split)
    total = -(-count // batch_size) * batch_size

    def element(i):
        at = tf.minimum(i, count - 1)
        found = source.decode(source.read(rows[at]))
        image = image_ops.fit(found["image"], image_shape, config.fit, valid=found["valid"])
        example = _example(found, image, stream(seed, EVALUATION + draw, at), at)
        return {**example, "weight": tf.where(i < count, example["weight"], 0.0)}

    return _batched(tf.data.Dataset.range(total), element, batch_size)


def arrays(source, split, config, image_shape, limit=None):
    """The images of a split as NumPy arrays `(images [n, H, W, C], labels [n], attributes [n, a])`."""
    batches = evaluation_batches(source, split, config, image_shape=image_shape, batch_size=64, seed=0)
    found = {"image": [], "label": [], "attributes": []}
    for batch in batches.take(-1 if limit is None else -(-limit // 64)).as_numpy_iterator():
        for key, parts in found.items():
            parts.append(batch[key][batch["weight"] > 0])
    return tuple(np.concatenate(parts)[:limit] for parts in found.values())


def _readable(source, rows, i, count):
    """The record of place `i`, or of the next one that is not damaged."""
    found = source.decode(source.read(rows[i]))
    if isinstance(source, ArraySource):
        return found

    def following(i, found):
        i = (i + 1) % count
        return i, source.decode(source.read(rows[i]))

    return tf.while_loop(lambda i, found: ~found["valid"], following, [i, found], maximum_iterations=count)[1]


def shuffled(position, count, seed):
    """The record at a position of the endless order: in each epoch a permutation keyed on (seed, epoch)."""
    key = stream(seed, ORDER, position // count)
    return tf.random.experimental.index_shuffle(position % count, key, tf.constant(count - 1, tf.int64))


def stream(seed, which, position):
    """A seed int64 `[2]` for the stateless random numbers of one stream at one position."""
    return tf.stack([tf.constant(seed * 1_000_003 + which, tf.int64), tf.cast(position, tf.int64)])


def _example(found, image, noise_seed, at):
    noise = tf.random.stateless_uniform(image.shape, noise_seed)
    weight = tf.cast(found["valid"], tf.float32)
    names = {"label": found["label"], "attributes": found["attributes"]}
    return {"image": image, **names, "noise": noise, "weight": weight, "index": at}


def _batched(positions, element, size):
    element = tf.autograph.experimental.do_not_convert(element)
    dataset = positions.map(element, tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(size, drop_remainder=True, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE)
