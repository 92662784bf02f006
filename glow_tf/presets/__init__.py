"""Presets: the first runs and the paper's experiments, as configurations.

Each module holds the presets of one kind, each a literal `Experiment`; fields that are left out have their defaults.
"paper" is arXiv 1807.03039, and "code" is the README of github.com/openai/glow. Batch sizes are global.
"""

import dataclasses
from collections.abc import Collection

from glow_tf.config import Experiment
from glow_tf.errors import ConfigError, did_you_mean
from glow_tf.presets import ablation, conditional, first_runs, likelihood, qualitative
from glow_tf.presets.likelihood import PAPER_BITS
from glow_tf.tables import format_table

__all__ = ["DEFAULT", "PAPER_BITS", "PRESETS", "differences", "get", "table"]

PRESETS = {
    experiment.name: experiment
    for experiment in (
        *first_runs.EXPERIMENTS,
        *likelihood.EXPERIMENTS,
        *qualitative.EXPERIMENTS,
        *conditional.EXPERIMENTS,
        *ablation.EXPERIMENTS,
    )
}
"""The experiments by name."""

DEFAULT = "digits"
"""Name of the preset that `train.py` takes if none is given."""


def get(name: str) -> Experiment:
    """Return the experiment of a name.

    Raises:
        ConfigError: there is none; the message lists the names.

    Example:
        >>> get("digits").model.image_shape
        (8, 8, 1)
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}.{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def table() -> str:
    """Return the names and descriptions of the presets as text, one per line."""
    return format_table([(name, experiment.about) for name, experiment in PRESETS.items()])


def differences(ours: Experiment, theirs: Experiment, ignored: Collection[str] = ()) -> list[str]:
    """Return the fields in which two experiments differ, as lines `part.field: ours -> theirs`.

    Args:
        ours: an experiment.
        theirs: another experiment.
        ignored: names `part.field` to leave out.

    Example:
        >>> differences(get("ablation_1x1_affine"), get("ablation_1x1_additive"))
        ["model.coupling: 'affine' -> 'additive'"]
    """
    lines = []
    for part in ("model", "data", "training"):
        a, b = dataclasses.asdict(getattr(ours, part)), dataclasses.asdict(getattr(theirs, part))
        lines += [f"{part}.{k}: {a[k]!r} -> {b[k]!r}" for k in a if a[k] != b[k] and f"{part}.{k}" not in ignored]
    return lines
