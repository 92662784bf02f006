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

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from glow_tf.config import DataConfig
from glow_tf.data import images as image_ops
from glow_tf.data.augmentation import augment
from glow_tf.data.groups import batched, map_slices, read_group
from glow_tf.data.random_streams import AUGMENTATION, EVALUATION, NOISE, shuffled, stream_seed
from glow_tf.data.source import Source
from glow_tf.errors import DataError, data_errors
from glow_tf.types import Images, ImageShape, Tensor

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

    def read(position: Tensor, index: Tensor) -> dict[str, Tensor]:
        record = _decode_first_valid(source, rows, index, count)
        image = image_ops.fit(record["image"], image_shape, config.fit, crop_seed(position))
        return {**record, "image": image}

    # The crop and the augmentation of an image share a stream: one takes its even positions, one its odd ones.
    def crop_seed(position: Tensor) -> Tensor:
        return stream_seed(seed, AUGMENTATION, 2 * position)

    def augmented(image: Tensor, position: Tensor) -> Tensor:
        augmentation_seed = stream_seed(seed, AUGMENTATION, 2 * position + 1)
        return augment(image, config.augment, config.flip, augmentation_seed)

    def group(i: Tensor) -> dict[str, Tensor]:
        step = i // part
        position = step * batch_size + input_pipeline_id * part + tf.math.floormod(i, part)
        index = shuffled(position, count, seed)
        records = read_group(source, tf.gather(rows, index), image_shape, read, (position, index))
        if config.augment != "none" or config.flip:
            images = map_slices(augmented, (records["image"], position), tf.TensorSpec(image_shape, tf.uint8))
            records = {**records, "image": images}
        return _examples(records, image_shape, stream_seed(seed, NOISE, position), position)

    return batched(tf.data.Dataset.range(start_step * part, MAX_POSITION), group, part, image_shape)


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

    def noise_seeds(position: Tensor) -> Tensor:
        return stream_seed(seed, EVALUATION + draw, position)

    return _ordered_batches(source, split, config, image_shape, batch_size, rows, noise_seeds)


def _ordered_batches(
    source: Source,
    split: str,
    config: DataConfig,
    image_shape: ImageShape,
    batch_size: int,
    rows: np.ndarray | None,
    noise_seeds: Callable[[Tensor], Tensor] | None = None,
) -> tf.data.Dataset:
    """Return the batches of `evaluation_batches`, without noise where no function of positions gives its seeds."""
    records = source.rows_of(split) if rows is None else np.asarray(rows, np.int64)
    count = len(records)
    if not count:
        raise DataError(f"{source.name}: there are no images to read.")
    records, padded_count = tf.constant(records), -(-count // batch_size) * batch_size

    def read(row: Tensor) -> dict[str, Tensor]:
        record = source.decode(source.read(row))
        return {**record, "image": image_ops.fit(record["image"], image_shape, config.fit, valid=record["valid"])}

    def group(i: Tensor) -> dict[str, Tensor]:
        position = tf.minimum(i, count - 1)
        rows = tf.gather(records, position)
        examples = _examples(
            read_group(source, rows, image_shape, read, (rows,)),
            image_shape,
            noise_seeds and noise_seeds(position),
            position,
        )
        return {**examples, "weight": tf.where(i < count, examples["weight"], 0.0)}

    return batched(tf.data.Dataset.range(padded_count), group, batch_size, image_shape)


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
        DataError: there are no images to read, or one cannot be read or fitted.

    Example:
        >>> from glow_tf.data import open_source
        >>> config = DataConfig("bundled:digits")
        >>> images, labels, attributes = arrays(open_source(config, (8, 8, 1)), "test", config, (8, 8, 1), limit=5)
        >>> images.shape, labels.shape, attributes.shape
        ((5, 8, 8, 1), (5,), (5, 0))
    """
    batches = _ordered_batches(source, split, config, image_shape, 64, rows)
    columns: dict[str, list[np.ndarray]] = {"image": [], "label": [], "attributes": []}
    with data_errors():
        for batch in batches.take(-1 if limit is None else -(-limit // 64)).as_numpy_iterator():
            for key, parts in columns.items():
                parts.append(batch[key][batch["weight"] > 0])
    images, labels, attributes = (np.concatenate(parts)[:limit] for parts in columns.values())
    return images, labels, attributes


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


def _examples(
    records: dict[str, Tensor], image_shape: ImageShape, noise_seeds: Tensor | None, positions: Tensor
) -> dict[str, Tensor]:
    """Return the part of a batch (see the module) that belongs to decoded records with their fitted images."""
    examples = {
        "image": records["image"],
        "label": records["label"],
        "attributes": records["attributes"],
        "weight": tf.cast(records["valid"], tf.float32),
        "index": positions,
    }
    if noise_seeds is None:
        return examples
    uniform = tf.random.stateless_uniform
    return {**examples, "noise": tf.stack([uniform(image_shape, seed) for seed in tf.unstack(noise_seeds)])}
