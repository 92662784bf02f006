"""Comparison of two data sets under one model: histograms of their bits/dim, and the AUROC of telling them apart."""

import numpy as np
from sklearn.metrics import roc_auc_score

from glow_tf.pictures import save_figure


def auroc(inside, outside):
    """Compute the probability that an image from outside has more bits/dim than one from inside; 0.5 is chance.

    Args:
        inside, outside: bits/dim, float `[n]` and `[m]`.
    """
    values = np.concatenate([inside, outside])
    return float(roc_auc_score(np.repeat([0, 1], [len(inside), len(outside)]), values))


def draw_histograms(path, sets):
    """Write histograms of bits/dim as a PNG file; `sets` is a list of (name, float `[n]`)."""
    from matplotlib.figure import Figure  # here, because matplotlib is slow to import and most commands need none

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="bits/dim", ylabel="share of images")
    all_values = np.concatenate([values for _, values in sets])
    bins = np.linspace(*np.percentile(all_values, [0.5, 99.5]), 60)  # a single outlier would hide the rest
    for name, values in sets:
        clipped = np.clip(values, bins[0], bins[-1])
        axes.hist(clipped, bins, weights=np.full(len(values), 1 / len(values)), alpha=0.6, label=name)
    axes.legend()
    save_figure(path, figure)
