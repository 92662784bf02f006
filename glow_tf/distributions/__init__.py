"""Images as a `tfd.Distribution`: continuous over floats, discrete over uint8 values."""

from glow_tf.distributions.continuous_glow import ContinuousGlow, continuous
from glow_tf.distributions.discrete_glow import DiscreteGlow

__all__ = ["ContinuousGlow", "DiscreteGlow", "continuous"]
