"""Old name of `glow_tf.convert.openai_glow`, kept for one release."""

from glow_tf.convert.openai_glow import original_names
from glow_tf.deprecation import warn_renamed

__all__ = ["original_names"]

warn_renamed("glow_tf.openai", "glow_tf.convert.openai_glow")
