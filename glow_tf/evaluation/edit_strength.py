"""Choose one strength of edits for all attributes: the least that suffices, on images that no result is from."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from glow_tf.evaluation.attribute_accuracy import EditEffect

STRENGTHS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""The strengths to choose from."""

MIN_MEAN_DETECTED, MIN_DETECTED = 0.8, 0.6
"""Shares of edited images in which an attribute is detected if edits suffice: the mean of all attributes, and each."""
MAX_OTHERS_CHANGED = 0.15
"""Mean share of changed predictions of other attributes up to which edits leave the rest of an image alone."""


@dataclasses.dataclass(frozen=True)
class EditSummary:
    """The effects of the edits of several attributes together.

    Args:
        detected: mean share of edited images in which the attribute is detected.
        others_changed: mean share of changed predictions of other attributes; None if there are none.
        outside: number of edited images out of range.
        failing: the attributes that are detected in less than `MIN_DETECTED` of the edited images.

    Example:
        >>> effects = {"smiling": EditEffect(50, 0.0, 0.9, 0.1, 0), "bun": EditEffect(50, 0.0, 0.5, 0.1, 0)}
        >>> summary = EditSummary.of(effects)
        >>> round(summary.detected, 2), summary.failing, summary.suffices
        (0.7, ('bun',), False)
    """

    detected: float
    others_changed: float | None
    outside: int
    failing: tuple[str, ...]

    @classmethod
    def of(cls, effects: Mapping[str, EditEffect]) -> "EditSummary":
        """Summarize effects by the name of the attribute."""
        changes = [e.others_changed for e in effects.values() if e.others_changed is not None]
        return cls(
            float(np.mean([e.after for e in effects.values()])),
            float(np.mean(changes)) if changes else None,
            sum(e.outside for e in effects.values()),
            tuple(name for name, e in effects.items() if e.after < MIN_DETECTED),
        )

    @property
    def suffices(self) -> bool:
        """Return whether the edits show the attributes, change little else, and leave every image in range."""
        in_range = not self.outside and (self.others_changed or 0) <= MAX_OTHERS_CHANGED
        return in_range and self.detected >= MIN_MEAN_DETECTED and not self.failing

    @property
    def net(self) -> float:
        """Return the share that is detected less the share of other predictions that change; -1 if out of range."""
        return -1.0 if self.outside else self.detected - (self.others_changed or 0)


def choose_strength(
    measure: Callable[[float], Mapping[str, EditEffect]], strengths: Sequence[float] = STRENGTHS
) -> tuple[float, dict[float, EditSummary]]:
    """Choose the least strength that suffices; if there is none, the one of the greatest `EditSummary.net`.

    Args:
        measure: function that returns the effects of all edits at a strength, by the name of the attribute.
        strengths: the strengths to choose from, ascending; those above the chosen one may not be measured.

    Returns:
        The strength, and the summaries by strength.
    """
    summaries: dict[float, EditSummary] = {}
    for strength in strengths:
        summaries[strength] = EditSummary.of(measure(strength))
        if summaries[strength].suffices:
            return strength, summaries
    return max(summaries, key=lambda strength: summaries[strength].net), summaries
