"""The batches of an experiment's data on this machine."""

from typing import Any

import tensorflow as tf

from glow_tf.config import Experiment
from glow_tf.counts import counted
from glow_tf.data import open_source
from glow_tf.data.pipeline import evaluation_batches, training_batches
from glow_tf.errors import ConfigError
from glow_tf.fields import setting


class ExperimentBatches:
    """Training and validation batches of an experiment.

    Args:
        experiment: the experiment whose data are read.
        **cache_options: keyword arguments `cache` and `cache_dir` of `open_source`.

    Raises:
        ConfigError: the model's classes are not those of the data.
    """

    def __init__(self, experiment: Experiment, **cache_options: Any) -> None:
        self.experiment = experiment
        self.source = open_source(experiment.data, experiment.model.image_shape, **cache_options)
        classes, present = experiment.model.classes, self.source.classes
        if classes and classes != present:
            raise ConfigError(
                f"classes={classes}, but {experiment.data.source} has {counted(present, 'class', 'classes')} of "
                f"labels. Set {setting('classes', present)}, or give a source of "
                f"{counted(classes, 'class', 'classes')}."
            )

    def training(self, batch_size: int, **options: Any) -> tf.data.Dataset:
        """Return batches of training images without end; see `pipeline.training_batches` for the options."""
        return training_batches(
            self.source,
            self.experiment.data,
            image_shape=self.experiment.model.image_shape,
            batch_size=batch_size,
            seed=self.experiment.training.seed,
            **options,
        )

    def validation(self, input_pipelines: int, input_pipeline_id: int) -> tf.data.Dataset:
        """Return the part of every validation batch that belongs to one of several input pipelines."""
        batch_size = self.experiment.training.batch_size
        batches = evaluation_batches(
            self.source,
            "validation",
            self.experiment.data,
            image_shape=self.experiment.model.image_shape,
            batch_size=batch_size,
            seed=self.experiment.training.seed,
        )
        return batches.rebatch(batch_size // input_pipelines).shard(input_pipelines, input_pipeline_id)
