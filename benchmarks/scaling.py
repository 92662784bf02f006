"""A line through points, and its picture."""

import numpy as np


def line(x, y):
    """Slope, offset and the share of variance explained of the least-squares line."""
    slope, offset = np.polyfit(x, y, 1)
    residual = np.var(np.asarray(y) - slope * np.asarray(x) - offset)
    return float(slope), float(offset), float(1 - residual / np.var(y))


def draw(path, series):
    """One panel a series: points and their line."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(series), figsize=(3.6 * len(series), 2.8), layout="constrained")
    for axis, (name, found) in zip(np.atleast_1d(axes), series.items(), strict=True):
        x = np.array(list(found["seconds"]), float)
        axis.plot(x, found["slope"] * x + found["offset"], color="0.7")
        axis.plot(x, list(found["seconds"].values()), "o", color="C0")
        axis.set(xlabel=name, ylabel="seconds a training step", xlim=(0, None), ylim=(0, None))
        axis.locator_params(axis="x", nbins=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
