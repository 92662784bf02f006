"""Least-squares lines through measurements, and their plot."""

import numpy as np


def line(x, y):
    """Return slope, offset and R^2 of the least-squares line."""
    slope, offset = np.polyfit(x, y, 1)
    residual = np.var(np.asarray(y) - slope * np.asarray(x) - offset)
    return float(slope), float(offset), float(1 - residual / np.var(y))


def draw(path, series):
    """Draw one panel per series, with its points and its line.

    Args:
        path: file to write.
        series: `{label of x: {"seconds": {x: seconds}, "slope": float, "offset": float}}`.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(series), figsize=(3.6 * len(series), 2.8), layout="constrained")
    for axis, (label, fit) in zip(np.atleast_1d(axes), series.items(), strict=True):
        x = np.array(list(fit["seconds"]), float)
        axis.plot(x, fit["slope"] * x + fit["offset"], color="0.7")
        axis.plot(x, list(fit["seconds"].values()), "o", color="C0")
        axis.set(xlabel=label, ylabel="seconds per training step", xlim=(0, None), ylim=(0, None))
        axis.locator_params(axis="x", nbins=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
