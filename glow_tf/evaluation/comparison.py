"""Comparison of two data sets under one model: histograms of their bits/dim, and the AUROC of telling them apart."""

import pathlib
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from glow_tf.pictures import save_figure


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Compute the probability that an image from outside has more bits/dim than one from inside; 0.5 is chance.

    Args:
        inside: bits/dim of images of one data set, float `[n]`.
        outside: bits/dim of images of the other, float `[m]`.

    Example:
        >>> auroc(np.array([3.0, 3.5]), np.array([3.2, 4.0]))
        0.75
    """
    values = np.concatenate([inside, outside])
    return float(roc_auc_score(np.repeat([0, 1], [len(inside), len(outside)]), values))


def draw_histograms(path: pathlib.Path | str, sets: Sequence[tuple[str, np.ndarray]]) -> None:
    """Write histograms of bits/dim as a PNG file.

    Args:
        path: the file to write.
        sets: name and bits/dim, float `[n]`, of each data set.

    Raises:
        RunError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # here, because matplotlib is slow to import and most commands need none

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="bits/dim", ylabel="share of images")
    all_values = np.concatenate([values for _, values in sets])
    low, high = np.percentile(all_values, [0.5, 99.5])
    bins = np.linspace(low, high, 60)  # a single outlier would hide the rest
    for name, values in sets:
        clipped = np.clip(values, bins[0], bins[-1])
        axes.hist(clipped, bins, weights=np.full(len(values), 1 / len(values)), alpha=0.6, label=name)
    axes.legend()
    save_figure(path, figure)
