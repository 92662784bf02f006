"""Configurations of the model, the data, the training and a run: frozen dataclasses.

The docstring of a field is its help text on the command line, and the values of a `Literal` are its choices.
"""

from glow_tf.config.checks import Count
from glow_tf.config.data import MAX_CLASS_ATTRIBUTES, NO_SOURCE, SOURCE_KINDS, DataConfig
from glow_tf.config.experiment import MAX_BATCH_VALUES, Experiment
from glow_tf.config.model import MAX_CHANNELS, ModelConfig, Side
from glow_tf.config.records import InitialWeights, SplitRecord
from glow_tf.config.run_options import RunOptions
from glow_tf.config.training import ANCHOR_EPOCH, ANCHOR_SIZE, MAX_SEED, AnchoredTraining, TrainingConfig

__all__ = [
    "ANCHOR_EPOCH",
    "ANCHOR_SIZE",
    "MAX_BATCH_VALUES",
    "MAX_CHANNELS",
    "MAX_CLASS_ATTRIBUTES",
    "MAX_SEED",
    "NO_SOURCE",
    "SOURCE_KINDS",
    "AnchoredTraining",
    "Count",
    "DataConfig",
    "Experiment",
    "InitialWeights",
    "ModelConfig",
    "RunOptions",
    "Side",
    "SplitRecord",
    "TrainingConfig",
]
