"""Old name of `glow_tf.convert.openai_glow`, kept for one release."""

from typing import TYPE_CHECKING, Any

from glow_tf.deprecation import warn_renamed

if TYPE_CHECKING:
    from glow_tf.convert.openai_glow import original_names as original_names


def __getattr__(name: str) -> Any:
    """Return `original_names`, with a warning; at its first use, because the command parses its words first."""
    if name != "original_names":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_renamed("glow_tf.openai", "glow_tf.convert.openai_glow")
    from glow_tf.convert.openai_glow import original_names

    return original_names
