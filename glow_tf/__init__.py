"""Glow (Kingma & Dhariwal, 2018) for Keras 3, TensorFlow and TensorFlow Probability: the public names.

They come from `glow_tf/public.py`. A command of this project imports them only after it has parsed its command line,
because TensorFlow takes seconds to import.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING

from glow_tf.backend import check_backend
from glow_tf.cli.start import end_on_interrupt, is_command

__version__ = "0.1.0"

end_on_interrupt()

if TYPE_CHECKING or not is_command():
    check_backend()

    from glow_tf.public import *  # noqa: F403
    from glow_tf.public import __all__ as __all__


def __getattr__(name: str) -> object:
    """Return a module of the library (such as `bijectors`), an old public name, or, in a command, any public name."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module("glow_tf.public"), name)
