"""The sub-commands of `evaluate.py`: each takes a `Target` and its options, prints a short table, writes its files."""

from glow_tf.evaluation.commands.conditions import judge
from glow_tf.evaluation.commands.density import bits, compare
from glow_tf.evaluation.commands.directions import attributes
from glow_tf.evaluation.commands.latents import encode, interpolate
from glow_tf.evaluation.commands.sheets import reconstruct, samples
from glow_tf.evaluation.commands.summary import report

COMMANDS = {
    c.__name__: c for c in (report, bits, samples, reconstruct, interpolate, attributes, compare, encode, judge)
}
"""The functions by name, in the order of the help."""

__all__ = ["COMMANDS", *COMMANDS]
