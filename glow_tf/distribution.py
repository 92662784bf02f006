"""`glow_tf.distributions` under its old name."""

from glow_tf.deprecation import warn_renamed
from glow_tf.distributions import DiscreteGlow, continuous

__all__ = ["DiscreteGlow", "continuous"]

warn_renamed("glow_tf.distribution", "glow_tf.distributions")
