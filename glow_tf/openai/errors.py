"""The error of an import."""

from glow_tf.errors import GlowError


class OpenaiError(GlowError):
    """A file of the original's that cannot be imported; the message says why and what to do."""


def listed(names, most=8):
    """Names as text, the first few of them and how many more."""
    names = sorted(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
