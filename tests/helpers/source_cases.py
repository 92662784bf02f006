"""Make images, files and records for the tests of every source, and read damaged ones."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from glow_tf.cli.command import run_command
from glow_tf.data import open_source, pipeline

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 3)


def color_images(n, size=8):
    """Make n images of noise."""
    return RNG.integers(0, 256, (n, size, size, 3), np.uint8)


def arrays(source, split, config, shape=SHAPE, limit=None, rows=None):
    """Read the images, labels and attributes of a split, or of rows."""
    return pipeline.arrays(source, split, config, shape, limit, rows)


def rows_of_splits(source, *splits, limit=None):
    """Return the rows of several splits, the first `limit` of each: one pipeline reads them sooner than several."""
    return np.concatenate([source.rows_of(split)[:limit] for split in splits or ("train", "validation", "test")])


def read_all(config):
    """Count the images of train and validation that are read."""
    source = open_source(config, SHAPE)
    return len(arrays(source, "train", config, rows=rows_of_splits(source, "train", "validation"))[0])


def message_that_stops(capsys, config):
    """Return the message with which a command ends that reads all images of train and validation."""
    with pytest.raises(SystemExit) as stop:
        run_command(lambda _: read_all(config) and 0, "train.py", [])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert "--on-damaged skip" in err and err.count("\n") == 1
    return err


def encoded(image, form):
    """Encode an image as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, lossless=True)
    return file.getvalue()


def save_pictures(root, images):
    """Save images as PNG files in a folder; return it."""
    for i, image in enumerate(images):
        Image.fromarray(image).save(root / f"{i}.png")
    return root


def write_tfrecords(root, split, images, r=5, shards=2, attributes=None, labels=None):
    """Write images as the original's TFRecords of one split; return the root."""
    (root / split).mkdir(parents=True, exist_ok=True)
    for s in range(shards):
        name = f"{split}-r{r:02d}-s-{s:04d}-of-{shards:04d}.tfrecords"
        with tf.io.TFRecordWriter(str(root / split / name)) as writer:
            for i in range(s, len(images), shards):
                ints = {"shape": images[i].shape, "label": np.atleast_1d(0 if labels is None else labels[i])}
                if attributes is not None:
                    ints["attr"] = attributes[i]
                feature = {k: tf.train.Feature(int64_list=tf.train.Int64List(value=v)) for k, v in ints.items()}
                feature["data"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[images[i].tobytes()]))
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return root
