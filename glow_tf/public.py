"""The public names of `glow_tf`, which `glow_tf/__init__.py` takes from here."""

from glow_tf import datasets, optimizers, presets
from glow_tf.attributes import Attributes, load_attributes
from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
from glow_tf.deprecation import renamed_attributes
from glow_tf.export import export_model
from glow_tf.latents import load_latents, save_latents
from glow_tf.layers import (
    ActNorm,
    Coupling,
    CouplingNetwork,
    DenseNetwork,
    FlatFlow,
    FlowLayer,
    FlowSequential,
    FlowStep,
    GlowFlow,
    InvertibleConv1x1,
    MultiScale,
    Reverse,
    Shuffle,
    Split,
    Squeeze,
    TopPrior,
)
from glow_tf.layers.old_classes import OLD_NAMES
from glow_tf.likelihood_model import LikelihoodModel
from glow_tf.model import Glow
from glow_tf.quantization import quantize
from glow_tf.runs import Run, load_model
from glow_tf.training.api import train
from glow_tf.training.schedule import WarmUp

__all__ = [
    "ActNorm",
    "Attributes",
    "Coupling",
    "CouplingNetwork",
    "DataConfig",
    "DenseNetwork",
    "Experiment",
    "FlatFlow",
    "FlowLayer",
    "FlowSequential",
    "FlowStep",
    "Glow",
    "GlowFlow",
    "InvertibleConv1x1",
    "LikelihoodModel",
    "ModelConfig",
    "MultiScale",
    "Reverse",
    "Run",
    "RunOptions",
    "Shuffle",
    "Split",
    "Squeeze",
    "TopPrior",
    "TrainingConfig",
    "WarmUp",
    "datasets",
    "export_model",
    "load_attributes",
    "load_latents",
    "load_model",
    "optimizers",
    "presets",
    "quantize",
    "save_latents",
    "train",
]

_OLD_OPTIMIZERS = {name: (f"optimizers.{name}", getattr(optimizers, name)) for name in ("Adam", "Adamax")}

__getattr__ = renamed_attributes("glow_tf", {**OLD_NAMES, **_OLD_OPTIMIZERS})
