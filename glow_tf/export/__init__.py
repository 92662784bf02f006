"""Export of a trained Glow as a SavedModel; `python -m glow_tf.export RUN OUT` is its command.

The command parses its command line before it imports TensorFlow, so `saved_model` is imported only when its function
is first used.
"""

from typing import TYPE_CHECKING, Any

from glow_tf.deprecation import warn_renamed

if TYPE_CHECKING:
    from glow_tf.export.saved_model import export_model as export_model


def __getattr__(name: str) -> Any:
    """Return `export_model`, also under its old name `export`."""
    if name not in ("export_model", "export"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "export":
        warn_renamed("glow_tf.export.export", "glow_tf.export.export_model")
    from glow_tf.export.saved_model import export_model

    return export_model
