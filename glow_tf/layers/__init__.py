"""The flow layers: one idea, one file."""

from glow_tf.deprecation import renamed_attributes
from glow_tf.layers.actnorm import ActNorm
from glow_tf.layers.coupling import Coupling
from glow_tf.layers.dense_network import DenseNetwork
from glow_tf.layers.flatten import FlatFlow
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.glow_flow import GlowFlow
from glow_tf.layers.invertible_conv import InvertibleConv1x1
from glow_tf.layers.multiscale import MultiScale
from glow_tf.layers.network import CouplingNetwork
from glow_tf.layers.old_classes import OLD_NAMES
from glow_tf.layers.permutation import Reverse, Shuffle
from glow_tf.layers.prior import TopPrior
from glow_tf.layers.sequential import FlowSequential
from glow_tf.layers.split import Split
from glow_tf.layers.squeeze import Squeeze
from glow_tf.layers.step import FlowStep
from glow_tf.layers.zero_layers import ZeroConv3x3, ZeroDense

__all__ = [
    "ActNorm",
    "Coupling",
    "CouplingNetwork",
    "DenseNetwork",
    "FlatFlow",
    "FlowLayer",
    "FlowSequential",
    "FlowStep",
    "GlowFlow",
    "InvertibleConv1x1",
    "MultiScale",
    "Reverse",
    "Shuffle",
    "Split",
    "Squeeze",
    "TopPrior",
    "ZeroConv3x3",
    "ZeroDense",
]

__getattr__ = renamed_attributes(__name__, OLD_NAMES)
