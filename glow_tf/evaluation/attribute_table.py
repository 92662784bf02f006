"""The table of attributes: what edits do by each method, and how often samples have each attribute."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glow_tf.counts import counted
from glow_tf.evaluation.attribute_accuracy import EditEffect
from glow_tf.evaluation.drawn_images import describe_non_finite

MIN_DETECTED = 0.6
"""Share of edited images in which an attribute is detected from which on its edits do not fail."""
MIN_ACCURACY = 0.97
"""Accuracy on real images from which on what a classifier detects counts."""
MAX_SHARE_GAP = 0.1
"""Difference of the shares of an attribute in samples and in real images that is still small."""


@dataclasses.dataclass(frozen=True)
class MethodEffects:
    """Hold the effects of the directions of one method.

    Args:
        added: effects on images without the attribute, at strength 1, by the name of the attribute.
        removed: effects on images with it, at strength -1.
    """

    added: Mapping[str, EditEffect]
    removed: Mapping[str, EditEffect]


@dataclasses.dataclass(frozen=True)
class AttributeTable:
    """All that is measured of attributes, by the name of the attribute.

    Args:
        accuracies: the lower of the classifier's accuracy and its balanced accuracy on real held-out images.
        methods: the effects of the directions, by the name of their method.
        real_shares: share of real training images that have the attribute.
        sample_shares: share of samples at temperature 1 in which the classifier detects it; empty without samples.
        samples: number of samples.
        non_finite: number of samples that are not finite, so no images; they count as without any attribute.
    """

    accuracies: Mapping[str, float]
    methods: Mapping[str, MethodEffects]
    real_shares: Mapping[str, float]
    sample_shares: Mapping[str, float]
    samples: int
    non_finite: int = 0

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table as texts: a header, a row for each attribute, and one of means, without empty columns."""
        header = ["attribute", "classifier"]
        for method in self.methods:
            header += [f"{method} +1", "others", f"{method} -1", "others"]
        header += ["real", "samples"] if self.sample_shares else []
        lines = {name: self._numbers(name) for name in self.accuracies}
        means = [_mean(column) for column in zip(*lines.values(), strict=True)]
        lines["mean" if "mean" not in lines else "mean of all"] = means  # an attribute may have that name
        table = [tuple(header), *((name, *map(_percent, numbers)) for name, numbers in lines.items())]
        filled = [i for i, last in enumerate(table[-1]) if last]  # no other attribute may be independent
        return [tuple(row[i] for i in filled) for row in table]

    def to_markdown(self) -> str:
        """Return the table as a table in Markdown."""
        table = self.rows()
        header, *rows = [f"| {' | '.join(row)} |" for row in table]
        return "\n".join([header, "|---" * len(table[0]) + "|", *rows]) + "\n"

    def remarks(self) -> list[str]:
        """Return sentences about what the table means: each method's edits, the classifier, and the samples."""
        lines = [_describe(method, effects) for method, effects in self.methods.items()]
        weak = [name for name, accuracy in self.accuracies.items() if accuracy < MIN_ACCURACY]
        lines.append(f"the classifier is at least {MIN_ACCURACY:.0%} right on real images{_except(weak)}")
        if self.sample_shares:
            gaps = {name: abs(share - self.real_shares[name]) for name, share in self.sample_shares.items()}
            far = [name for name, gap in gaps.items() if gap > MAX_SHARE_GAP]
            points = round(100 * MAX_SHARE_GAP)
            lines.append(
                f"shares in {counted(self.samples, 'sample')} are within {points} points of the real ones{_except(far)}"
            )
        if self.non_finite:
            lines.append(describe_non_finite(self.non_finite, self.samples, "count as without any attribute"))
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return all numbers as what JSON can hold."""
        return {
            "classifier_accuracy": dict(self.accuracies),
            "edits": {method: dataclasses.asdict(effects) for method, effects in self.methods.items()},
            "real_shares": dict(self.real_shares),
            "sample_shares": dict(self.sample_shares),
            "samples": self.samples,
            "non_finite": self.non_finite,
        }

    def _numbers(self, name: str) -> list[float | None]:
        """Return the numbers of the row of an attribute; None where there are no images to measure."""
        numbers: list[float | None] = [self.accuracies[name]]
        for effects in self.methods.values():
            for effect in (effects.added.get(name), effects.removed.get(name)):
                numbers += [effect.after, effect.others_changed] if effect else [None, None]
        return numbers + ([self.real_shares[name], self.sample_shares[name]] if self.sample_shares else [])


def _describe(method: str, effects: MethodEffects) -> str:
    """Describe the edits of a method in a sentence."""
    detected = {name: effect.after for name, effect in effects.added.items()}
    failing = [name for name, share in detected.items() if share < MIN_DETECTED]
    edits = [*effects.added.values(), *effects.removed.values()]
    images, outside = sum(effect.count for effect in edits), sum(effect.outside for effect in edits)
    return (
        f"{method}: the attribute is detected in {_percent(_mean(detected.values()))} of the images without it, moved "
        f"by +1{f'; in less than {MIN_DETECTED:.0%}: ' if failing else ''}{', '.join(failing)}; "
        f"{outside or 'none'} of {counted(images, 'image')} out of range"
    )


def _except(names: Sequence[str]) -> str:
    return f", except for {', '.join(names)}" if names else ""


def _mean(column: Iterable[float | None]) -> float | None:
    numbers = [number for number in column if number is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _percent(number: float | None) -> str:
    return "" if number is None else f"{number:.0%}"
