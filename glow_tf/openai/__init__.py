"""The original's checkpoints (openai/glow, commit 91b2c57) as models of ours: `python -m glow_tf.openai --help`."""

from glow_tf.openai.names import original_names

__all__ = ["original_names"]
