"""What options must be, in one sentence each."""

import math

from glow_tf.errors import GlowError


class EvaluationError(GlowError):
    """Something that cannot be evaluated as asked; the message says why and what to do."""


def at_least(least, **options):
    """Each option, by its name in Python, is None or at least that large; else an `EvaluationError`."""
    for name, value in options.items():
        if value is not None and not value >= least:
            raise EvaluationError(f"--{name.replace('_', '-')}: expected {least} or more, got {value}.")


def finite(name, values):
    """At least one value, and all of them finite; else an `EvaluationError`."""
    if not values or not all(map(math.isfinite, values)):
        raise EvaluationError(f"--{name}: expected finite numbers, got {', '.join(map(str, values)) or 'none'}.")
