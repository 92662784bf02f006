"""Make images for the tests of every source, and read damaged ones."""

import io

import numpy as np
import pytest
from PIL import Image

from glow_tf.cli.command import run_command
from glow_tf.data import open_source, pipeline

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 3)


def color_images(n, size=8):
    """Make n images of noise."""
    return RNG.integers(0, 256, (n, size, size, 3), np.uint8)


def arrays(source, split, config, shape=SHAPE, limit=None):
    """Read the images, labels and attributes of a split."""
    return pipeline.arrays(source, split, config, shape, limit)


def read_all(config):
    """Count the images of train and validation that are read."""
    source = open_source(config, SHAPE)
    return sum(len(arrays(source, split, config)[0]) for split in ("train", "validation"))


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
