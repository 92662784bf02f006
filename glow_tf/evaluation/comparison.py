"""Two data sets under one model: the histograms of their bits/dim, and how well it tells them apart."""

import numpy as np
from sklearn.metrics import roc_auc_score

from glow_tf.pictures import save_figure


def auroc(inside, outside):
    """The probability that an image from outside has more bits/dim than one from inside; 0.5 is chance."""
    values = np.concatenate([inside, outside])
    return float(roc_auc_score(np.repeat([0, 1], [len(inside), len(outside)]), values))


def draw_histograms(path, sets):
    """Histograms of bits/dim; `sets` is a list of (name, float `[n]`)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="bits/dim", ylabel="share of images")
    everything = np.concatenate([values for _, values in sets])
    bins = np.linspace(*np.percentile(everything, [0.5, 99.5]), 60)  # a single far image would hide the rest
    for name, values in sets:
        inside = np.clip(values, bins[0], bins[-1])
        axes.hist(inside, bins, weights=np.full(len(values), 1 / len(values)), alpha=0.6, label=name)
    axes.legend()
    save_figure(path, figure)
