"""Make run folders of small models with general weights, without the minute that training takes."""

import dataclasses

import numpy as np

from glow_tf import presets
from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig
from glow_tf.data import open_source, pipeline
from glow_tf.runs import Run
from glow_tf.training.state import TrainingState

TINY = dataclasses.replace(
    presets.get("digits"),
    model=ModelConfig(image_shape=(8, 8, 1), bits=4, levels=1, depth=1, width=8),
    training=dataclasses.replace(presets.get("digits").training, batch_size=16, epoch_steps=4, epochs=2),
)
"""An experiment that trains in a second."""


def make_run(path, classes=0, levels=2, **model):
    """Make a run folder whose raw and EMA weights differ; return its path."""
    config = ModelConfig(
        image_shape=(8, 8, 1),
        bits=4,
        levels=levels,
        depth=1,
        width=8,
        classes=classes,
        weight_y=0.1 if classes else 0.0,
        **model,
    )
    data = DataConfig("bundled:digits", labels=bool(classes))
    experiment = Experiment(config, data, TrainingConfig(batch_size=16, epochs=1), name="tiny")
    run = Run.create(path, experiment)
    state = TrainingState(experiment, run)
    images, labels, _ = pipeline.arrays(open_source(data, config.image_shape), "train", data, config.image_shape, 64)
    state.model.initialize(images, labels if classes else None, seed=1)
    rng = np.random.default_rng(2)
    state.ema.reset()
    for v in state.model.trainable_variables:
        v.assign_add(0.03 * rng.normal(size=v.shape))
    for which in ("last", "best"):
        state.save_weights(which)
    return path
