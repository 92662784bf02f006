"""Flow layers directly as `tfb.Bijector`s, each of which makes its own layer.

As everywhere in TFP, `forward` maps latents to data and `inverse` maps data to latents.

For users of `tfb.Glow`: `image_shape`, `levels` and `depth` of `Glow` correspond to `output_shape`, `num_glow_blocks`
and `num_steps_per_block`, and both map one vector to an image. For users of `tfb.RealNVP`: `Coupling` changes one half
of the channels by a network of the other half, `FlowStep` puts an actnorm and a permutation or 1x1 convolution of the
channels before it, and `Chain` composes them.

Example:
    >>> import tensorflow_probability as tfp
    >>> flow = Chain([FlowStep(event_shape=[2], width=32) for _ in range(4)])
    >>> moons = flow(tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), 2))
    >>> moons.sample(5).shape
    TensorShape([5, 2])
"""

from glow_tf.bijectors.chain import Chain
from glow_tf.bijectors.channels import ActNorm, InvertibleConv1x1, Reverse, Shuffle
from glow_tf.bijectors.coupling import Coupling, FlowStep
from glow_tf.bijectors.glow import Glow, MultiScale
from glow_tf.bijectors.squeeze import Split, Squeeze

__all__ = [
    "ActNorm",
    "Chain",
    "Coupling",
    "FlowStep",
    "Glow",
    "InvertibleConv1x1",
    "MultiScale",
    "Reverse",
    "Shuffle",
    "Split",
    "Squeeze",
]
