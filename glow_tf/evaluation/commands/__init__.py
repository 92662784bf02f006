"""The sub-commands of `evaluate.py`, one file each, named after it.

Each is a function of a `TargetOptions` and its own options, which prints short tables and writes files. Its signature
defines the command line, and its docstring is the help.
"""

from collections.abc import Callable

from glow_tf.evaluation.commands.accuracy import accuracy
from glow_tf.evaluation.commands.attributes import attributes
from glow_tf.evaluation.commands.bits import bits
from glow_tf.evaluation.commands.compare import compare
from glow_tf.evaluation.commands.encode import encode
from glow_tf.evaluation.commands.frechet import frechet
from glow_tf.evaluation.commands.interpolate import interpolate
from glow_tf.evaluation.commands.reconstruct import reconstruct
from glow_tf.evaluation.commands.report import report
from glow_tf.evaluation.commands.samples import samples

COMMANDS: dict[str, Callable[..., None]] = {
    "report": report,
    "bits": bits,
    "samples": samples,
    "reconstruct": reconstruct,
    "interpolate": interpolate,
    "attributes": attributes,
    "compare": compare,
    "encode": encode,
    "accuracy": accuracy,
    "frechet": frechet,
}
"""The functions by name, in the order of the help."""

__all__ = [
    "COMMANDS",
    "accuracy",
    "attributes",
    "bits",
    "compare",
    "encode",
    "frechet",
    "interpolate",
    "reconstruct",
    "report",
    "samples",
]
