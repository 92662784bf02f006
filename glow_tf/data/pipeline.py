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

The comments `pyright: ignore` are for functions and arguments that TensorFlow's stubs leave out.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from glow_tf.config import DataConfig
from glow_tf.data import images as image_ops
from glow_tf.data.augmentation import augment
from glow_tf.data.source import Source
from glow_tf.errors import DataError
from glow_tf.types import Images, ImageShape, Tensor

# The streams of random numbers of one seed. EVALUATION must have the largest number: draw n of the evaluation noise is
# stream EVALUATION + n, so a stream above it would repeat the numbers of one of the draws.
ORDER = 0  # the permutation of each epoch
AUGMENTATION = 1  # random crops, and the augmentation of cropped images
NOISE = 2  # dequantization noise in training
EVALUATION = 3  # dequantization noise in an evaluation

MAX_POSITION = np.iinfo(np.int64).max


def training_batches(
    source: Source,
    config: DataConfig,
    *,
    image_shape: ImageShape,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    input_pipelines: int = 1,
    input_pipeline_id: int = 0,
) -> tf.data.Dataset:
    """Return a data set of batches without end, each epoch in an order of its own.

    Args:
        source: the source of the images.
        config: its configuration.
        image_shape: the shape that the images are fitted to.
        batch_size: images of the global batch.
        seed: seed of order, augmentation and noise.
        start_step: the step of the first batch; no earlier batch is read.
        input_pipelines: number of machines; each gets a contiguous part of each batch.
        input_pipeline_id: number of this machine, from 0.

    Returns:
        A data set of the dictionaries that the module describes.

    Raises:
        DataError: there are no images to train on.

    Example:
        >>> from glow_tf.data import open_source
        >>> config = DataConfig("bundled:digits")
        >>> source = open_source(config, (8, 8, 1))
        >>> batches = training_batches(source, config, image_shape=(8, 8, 1), batch_size=4, seed=0)
        >>> next(iter(batches))["image"].shape
        TensorShape([4, 8, 8, 1])
    """
    rows, part = tf.constant(source.rows_of("train")), batch_size // input_pipelines
    count = len(source.rows_of("train"))

    def element(i: Tensor) -> dict[str, Tensor]:
        step = i // part
        position = step * batch_size + input_pipeline_id * part + tf.math.floormod(i, part)
        record = _decode_first_valid(source, rows, shuffled(position, count, seed), count)
        # The crop and the augmentation of an image share a stream: one takes its even positions, one its odd ones.
        crop_seed = stream_seed(seed, AUGMENTATION, 2 * position)
        augmentation_seed = stream_seed(seed, AUGMENTATION, 2 * position + 1)
        image = image_ops.fit(record["image"], image_shape, config.fit, crop_seed)
        image = augment(image, config.augment, config.flip, augmentation_seed)
        return _example(record, image, stream_seed(seed, NOISE, position), position)

    return _batched(tf.data.Dataset.range(start_step * part, MAX_POSITION), element, part)


def evaluation_batches(
    source: Source,
    split: str,
    config: DataConfig,
    *,
    image_shape: ImageShape,
    batch_size: int,
    seed: int,
    draw: int = 0,
    rows: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Return a data set of batches that hold each image of a split once, in order.

    The last batch is filled up with images of weight 0.

    Args:
        source: the source of the images.
        split: name of the split.
        config: the configuration of the source.
        image_shape: the shape that the images are fitted to.
        batch_size: images of a batch.
        seed: seed of the dequantization noise.
        draw: number of the draw of the noise; another one gives other noise.
        rows: int `[n]`, the records to read in this order instead of those of the split.

    Returns:
        A data set of the dictionaries that the module describes.

    Raises:
        DataError: there are no images to read.

    Example:
        >>> from glow_tf.data import open_source
        >>> config = DataConfig("bundled:digits")
        >>> source = open_source(config, (8, 8, 1))
        >>> batches = evaluation_batches(source, "test", config, image_shape=(8, 8, 1), batch_size=128, seed=0)
        >>> len(batches), source.size("test")
        (3, 300)
    """
    records = source.rows_of(split) if rows is None else np.asarray(rows, np.int64)
    count = len(records)
    if not count:
        raise DataError(f"{source.name}: there are no images to read.")
    records, padded_count = tf.constant(records), -(-count // batch_size) * batch_size

    def element(i: Tensor) -> dict[str, Tensor]:
        position = tf.minimum(i, count - 1)
        record = source.decode(source.read(records[position]))
        image = image_ops.fit(record["image"], image_shape, config.fit, valid=record["valid"])
        example = _example(record, image, stream_seed(seed, EVALUATION + draw, position), position)
        return {**example, "weight": tf.where(i < count, example["weight"], 0.0)}

    return _batched(tf.data.Dataset.range(padded_count), element, batch_size)


def arrays(
    source: Source,
    split: str,
    config: DataConfig,
    image_shape: ImageShape,
    limit: int | None = None,
    rows: np.ndarray | None = None,
) -> tuple[Images, np.ndarray, np.ndarray]:
    """Read the images of a split into memory; damaged ones are left out.

    Args:
        source: the source of the images.
        split: name of the split.
        config: the configuration of the source.
        image_shape: the shape that the images are fitted to.
        limit: the number of images to read at most; None reads all.
        rows: int `[n]`, the records to read in this order instead of those of the split.

    Returns:
        `(images, labels, attributes)`: uint8 `[n, H, W, C]`, int32 `[n]` and int32 `[n, a]`.

    Raises:
        DataError: there are no images to read.

    Example:
        >>> from glow_tf.data import open_source
        >>> config = DataConfig("bundled:digits")
        >>> images, labels, attributes = arrays(open_source(config, (8, 8, 1)), "test", config, (8, 8, 1), limit=5)
        >>> images.shape, labels.shape, attributes.shape
        ((5, 8, 8, 1), (5,), (5, 0))
    """
    batches = evaluation_batches(source, split, config, image_shape=image_shape, batch_size=64, seed=0, rows=rows)
    columns: dict[str, list[np.ndarray]] = {"image": [], "label": [], "attributes": []}
    for batch in batches.take(-1 if limit is None else -(-limit // 64)).as_numpy_iterator():
        for key, parts in columns.items():
            parts.append(batch[key][batch["weight"] > 0])
    images, labels, attributes = (np.concatenate(parts)[:limit] for parts in columns.values())
    return images, labels, attributes


def shuffled(position: Tensor, count: int, seed: int) -> Tensor:
    """Return the index of the record at a position of the endless order.

    The order of each epoch is a permutation keyed on (seed, epoch).
    """
    key = stream_seed(seed, ORDER, position // count)
    shuffle = tf.random.experimental.index_shuffle  # pyright: ignore[reportAttributeAccessIssue]
    return shuffle(tf.math.floormod(position, count), key, tf.constant(count - 1, tf.int64))


def stream_seed(seed: int, stream: int, position: Tensor | int) -> Tensor:
    """Return a seed int64 `[2]` for the stateless random numbers of one stream at one position."""
    return tf.stack([tf.constant(seed * 1_000_003 + stream, tf.int64), tf.cast(position, tf.int64)])


def _decode_first_valid(source: Source, rows: Tensor, index: Tensor, count: int) -> dict[str, Tensor]:
    """Return the decoded record of `rows[index]`, or of the next row that is not damaged."""
    record = source.decode(source.read(rows[index]))
    if not source.skips_damaged:
        return record

    def decode_next(index: Tensor, record: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        index = tf.math.floormod(index + 1, count)
        return index, source.decode(source.read(rows[index]))

    def is_damaged(index: Tensor, record: dict[str, Tensor]) -> Tensor:
        return tf.logical_not(record["valid"])

    return tf.while_loop(is_damaged, decode_next, [index, record], maximum_iterations=count)[1]


def _example(record: dict[str, Tensor], image: Tensor, noise_seed: Tensor, position: Tensor) -> dict[str, Tensor]:
    """Return the element of a batch (see the module) that belongs to a decoded record and its fitted image."""
    return {
        "image": image,
        "label": record["label"],
        "attributes": record["attributes"],
        "noise": tf.random.stateless_uniform(image.shape, noise_seed),  # pyright: ignore[reportArgumentType]
        "weight": tf.cast(record["valid"], tf.float32),
        "index": position,
    }


def _batched(
    positions: tf.data.Dataset, element: Callable[[Tensor], dict[str, Tensor]], batch_size: int
) -> tf.data.Dataset:
    element = tf.autograph.experimental.do_not_convert(element)
    dataset = positions.map(element, tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE)
