"""Make small models with general weights."""

import dataclasses
import functools

import numpy as np

from glow_tf.config import ModelConfig
from glow_tf.model import Glow
from helpers.layer_cases import perturb

SMALL = ModelConfig(image_shape=(8, 8, 3), bits=8, levels=2, depth=2, width=8)


def make_glow(dtype="float64", noise=0.03, **changes):
    """Make a model with general weights, and a batch of images with labels (None where unconditional)."""
    model = Glow(dataclasses.replace(SMALL, **changes), dtype=dtype)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, *model.image_shape), np.uint8)
    labels = np.arange(6) % model.config.classes if model.config.classes else None
    model.initialize(images, labels, seed=1)
    perturb(model.trainable_variables, rng, noise)
    return model, images, labels


@functools.cache
def shared_glow(**changes):
    """Return the result of `make_glow`, made once; tests must not change it."""
    return make_glow(**changes)
