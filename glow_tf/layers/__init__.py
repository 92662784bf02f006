"""The flow layers: one idea, one file."""

from glow_tf.layers.actnorm import Actnorm
from glow_tf.layers.coupling import Coupling
from glow_tf.layers.flat import FlatFlow
from glow_tf.layers.flow import FlowLayer, Serial
from glow_tf.layers.multiscale import GlowFlow, MultiScale
from glow_tf.layers.network import CouplingNetwork, ZeroConv3x3, ZeroDense
from glow_tf.layers.permutation import InvertibleConv1x1, Reverse, Shuffle
from glow_tf.layers.prior import TopPrior
from glow_tf.layers.split import Split
from glow_tf.layers.squeeze import Squeeze
from glow_tf.layers.step import FlowStep

__all__ = [
    "Actnorm",
    "Coupling",
    "CouplingNetwork",
    "FlatFlow",
    "FlowLayer",
    "FlowStep",
    "GlowFlow",
    "InvertibleConv1x1",
    "MultiScale",
    "Reverse",
    "Serial",
    "Shuffle",
    "Split",
    "Squeeze",
    "TopPrior",
    "ZeroConv3x3",
    "ZeroDense",
]
