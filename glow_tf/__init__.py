"""Glow (Kingma & Dhariwal, 2018) for Keras 3, TensorFlow and TensorFlow Probability: the public names."""

from glow_tf.cli.start import end_on_interrupt, is_command

end_on_interrupt()

from glow_tf.backend import check_backend  # noqa: E402
from glow_tf.cli.lean import hidden_packages  # noqa: E402
from glow_tf.cli.quiet import quiet_import  # noqa: E402

with quiet_import(is_command()):
    check_backend()
    with hidden_packages(is_command()):
        import keras  # noqa: F401

    from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
    from glow_tf.deprecation import renamed_attributes
    from glow_tf.layers import (
        ActNorm,
        Coupling,
        CouplingNetwork,
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
    from glow_tf.model import Glow
    from glow_tf.runs import Run, load_model
    from glow_tf.training.optimizers import Adam, Adamax
    from glow_tf.training.schedule import WarmUp

__all__ = [
    "ActNorm",
    "Adam",
    "Adamax",
    "Coupling",
    "CouplingNetwork",
    "DataConfig",
    "Experiment",
    "FlatFlow",
    "FlowLayer",
    "FlowSequential",
    "FlowStep",
    "Glow",
    "GlowFlow",
    "InvertibleConv1x1",
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
    "load_model",
]

__getattr__ = renamed_attributes(__name__, OLD_NAMES)
