"""Two data sets under one model: the histograms of their bits/dim, and how well it tells them apart."""

import io

import numpy as np
from sklearn.metrics import roc_auc_score

from glow_tf.runs import write_atomically


def auroc(inside, outside):
    """The probability that an image from outside has more bits/dim than one from inside; 0.5 is chance."""
    values = np.concatenate([inside, outside])
    return float(roc_auc_score(np.repeat([0, 1], [len(inside), len(outside)]), values))


def draw_histograms(path, sets):
    """Histograms of bits/dim; `sets` is a dictionary of name -> float `[n]`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="bits/dim", ylabel="share of images")
    bins = np.histogram_bin_edges(np.concatenate(list(sets.values())), 60)
    for name, values in sets.items():
        axes.hist(values, bins, weights=np.full(len(values), 1 / len(values)), alpha=0.6, label=name)
    axes.legend()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomically(path, lambda p: p.write_bytes(data.getvalue()))
