"""Glow (Kingma & Dhariwal, 2018) for Keras 3, TensorFlow and TensorFlow Probability: the public names."""

from glow_tf.quiet import is_command, quiet_import

with quiet_import(is_command()):
    from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
    from glow_tf.layers import (
        Actnorm,
        Coupling,
        CouplingNetwork,
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

__all__ = [
    "Actnorm",
    "Coupling",
    "CouplingNetwork",
    "DataConfig",
    "Experiment",
    "FlowLayer",
    "FlowStep",
    "Glow",
    "GlowFlow",
    "InvertibleConv1x1",
    "ModelConfig",
    "MultiScale",
    "Reverse",
    "RunOptions",
    "Serial",
    "Shuffle",
    "Split",
    "Squeeze",
    "TopPrior",
    "TrainingConfig",
]
