"""Glow (Kingma & Dhariwal, 2018) for Keras 3, TensorFlow and TensorFlow Probability: the public names."""

from glow_tf.quiet import is_command, quiet_import

with quiet_import(is_command()):
    from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
    from glow_tf.layers import (
        Actnorm,
        Coupling,
        CouplingNetwork,
        FlatFlow,
        FlowLayer,
        FlowStep,
        GlowFlow,
        InvertibleConv1x1,
        MultiScale,
        Reverse,
        Serial,
        Shuffle,
        Split,
        Squeeze,
        TopPrior,
    )
    from glow_tf.model import Glow
    from glow_tf.runs import Run, load_model
    from glow_tf.training.optimizers import Adam, Adamax
    from glow_tf.training.schedule import WarmUp

__all__ = [
    "Actnorm",
    "Adam",
    "Adamax",
    "Coupling",
    "CouplingNetwork",
    "DataConfig",
    "Experiment",
    "FlatFlow",
    "FlowLayer",
    "FlowStep",
    "Glow",
    "GlowFlow",
    "InvertibleConv1x1",
    "ModelConfig",
    "MultiScale",
    "Reverse",
    "Run",
    "RunOptions",
    "Serial",
    "Shuffle",
    "Split",
    "Squeeze",
    "TopPrior",
    "TrainingConfig",
    "WarmUp",
    "load_model",
]
