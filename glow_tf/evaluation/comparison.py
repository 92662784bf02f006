"""Comparison of two data sets under one model: histograms of their bits/dim, and the AUROC of telling them apart."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from glow_tf.counts import counted
from glow_tf.errors import DataError
from glow_tf.pictures import save_figure

BINS = 60


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Compute the probability that an image from outside has more bits/dim than one from inside; 0.5 is chance.

    It is the area under the receiver operating characteristic, by the ranks (Mann and Whitney, 1947).

    Args:
        inside: bits/dim of images of one data set, float `[n]`.
        outside: bits/dim of images of the other, float `[m]`; one that is not finite counts as more than any other.

    Example:
        >>> auroc(np.array([3.0, 3.5]), np.array([3.2, 4.0]))
        0.75
    """
    values = np.concatenate([inside, outside])
    ranks = rankdata(np.where(np.isfinite(values), values, np.inf))
    n, m = len(inside), len(outside)
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))


class Histograms(NamedTuple):
    """Histograms of bits/dim of data sets under one model.

    Args:
        sets: name and bits/dim, float `[n]`, of each data set, the model's own first.
        auroc: the AUROC of telling them apart.
        caption: run and weights.
    """

    sets: Sequence[tuple[str, np.ndarray]]
    auroc: float
    caption: str

    def save(self, path: pathlib.Path | str, scale: int = 1) -> None:
        """Write the histograms as a picture; the ending of the path decides the format.

        Values far from all others would hide the rest: they are left out, and counted in the legend.

        Raises:
            RunError: the file cannot be written.
        """
        from matplotlib.figure import Figure  # here, because matplotlib is slow to import and most commands need none

        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.add_subplot(xlabel="bits/dim", ylabel="share of images")
        title = f"Bits/dim of two data sets under {self.caption}: AUROC {self.auroc:.3f}"
        axes.set_title(title, fontsize=11, parse_math=False, wrap=True)
        bins = bins_of(np.concatenate([values for _, values in self.sets]))
        for name, values in self.sets:
            finite = values[np.isfinite(values)]
            shares = np.full(len(finite), 1 / len(values))
            axes.hist(finite, list(bins), weights=shares, alpha=0.6, label=name + _describe_outside(values, bins))
        for text in axes.legend(fontsize=9).get_texts():
            text.set_parse_math(False)
        save_figure(path, figure, scale)


def bins_of(values: np.ndarray) -> np.ndarray:
    """Return the edges of the bins, which hold all but the lowest and highest 0.5 % of the values, at least.

    Raises:
        DataError: no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise DataError("no image has finite bits/dim, so there is nothing to draw.")
    low, high = np.percentile(finite, [0.5, 99.5])
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _describe_outside(values: np.ndarray, bins: np.ndarray) -> str:
    """Return in words how many of the values lie outside the bins, or ""."""
    finite = np.isfinite(values)
    below, above = np.sum(finite & (values < bins[0])), np.sum(finite & (values > bins[-1]))
    groups = ((below, "below"), (above, "above"), (np.sum(~finite), "not finite and outside"))
    outside = " and ".join(f"{count:,} {side}" for count, side in groups if count)
    return f" (of {counted(len(values), 'image')} {outside} the range drawn)" if outside else ""
