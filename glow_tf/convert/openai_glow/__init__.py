"""Convert checkpoints of the original code to run folders: `python -m glow_tf.convert --help`.

In this package and its tests, "the original code" is openai/glow, commit 91b2c57, https://github.com/openai/glow, by
the authors of the paper. "The public model" is the Glow that this code builds. An "original name" is the name of a
variable in it, such as `model/0/0/invconv/W`.
"""

from glow_tf.convert.openai_glow.names import original_names

__all__ = ["original_names"]
