"""Charts: the learning curve of a run, and how a figure of matplotlib is written."""

from __future__ import annotations

import io
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from glow_tf.counts import counted
from glow_tf.io import write_bytes
from glow_tf.metrics_table import validation_loss
from glow_tf.pictures.page import NO_DATE, VECTOR_SETTINGS, format_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURE_DPI = 120
"""Pixels in an inch of a chart that is written as a PNG."""

LEARNING_CURVES = {
    "bits_x": "training",
    "val_bits_x": "validation",
    "val_bits_x_average": "validation, EMA weights",
}
"""Column of the metrics table -> its name in the legend."""


def learning_curve(
    path: pathlib.Path | str,
    rows: Sequence[Mapping[str, float | None]],
    title: str = "Learning curve",
    weight_y: float = 0.0,
) -> None:
    """Draw bits/dim against epochs, of training and of validation, and write the figure.

    The best epoch of each validation curve is marked. Epochs far above the others are cut off, with an arrow at the
    upper edge for each.

    Args:
        path: file to write; its ending decides the format.
        rows: rows of a `MetricsTable`; a missing or None value is left out of its curve.
        title: text above.
        weight_y: weight of the class loss, by which the best epoch is chosen too (see `ModelConfig`).
    """
    from matplotlib.figure import Figure  # without pyplot: no global state, no display
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="bits/dim")
    axes.set_title(title, fontsize=11, parse_math=False, wrap=True)
    curves = {}
    for column, name in LEARNING_CURVES.items():
        points = [(row["epoch"], row[column]) for row in rows if row.get(column) is not None]
        if points:
            epochs, values = np.array(points, float).T
            best = _best_epoch(rows, column, weight_y)
            shown_name = name if best is None else f"{name}, best {values[epochs == best][0]:.3f} in epoch {best:g}"
            marker = "o" if len(points) == 1 else None
            [line] = axes.plot(epochs, values, label=shown_name, marker=marker, markersize=4)
            if best is not None:
                axes.plot(best, values[epochs == best][0], "o", color=line.get_color(), fillstyle="none", markersize=9)
            curves[line.get_color()] = epochs, values
    if curves:
        _set_limits(axes, curves)
        axes.legend(fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    save_figure(path, figure)


def save_figure(path: pathlib.Path | str, figure: Figure, scale: int = 1) -> None:
    """Write a figure of matplotlib; the ending of the path, `.png`, `.pdf` or `.svg`, decides the format.

    Args:
        path: file to write.
        figure: the figure.
        scale: factor of the width and height of a PNG in pixels; the other formats scale anyway.

    Raises:
        ConfigError: the path has another ending.
        RunError: the file cannot be written.
    """
    import matplotlib

    kind = format_of(path, NO_DATE)
    data = io.BytesIO()
    with matplotlib.rc_context(VECTOR_SETTINGS):
        figure.savefig(data, format=kind, dpi=FIGURE_DPI * scale, metadata=NO_DATE[kind])
    write_bytes(path, data.getvalue())


def _best_epoch(rows: Sequence[Mapping[str, float | None]], column: str, weight_y: float) -> float | None:
    """Return the epoch of the lowest validation loss; None for a training curve, or one with a single value."""
    if column == "bits_x":
        return None
    losses = {row["epoch"]: validation_loss(row, column.removeprefix("val_bits_x"), weight_y) for row in rows}
    losses = {epoch: loss for epoch, loss in losses.items() if math.isfinite(loss)}
    return min(losses, key=lambda epoch: losses[epoch]) if len(losses) > 1 else None


def _set_limits(axes: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Set the upper limit of the y axis by the values after the first quarter of the epochs, and mark those above.

    The lower limit lies below all values.
    """
    late_values = _finite([values[len(values) // 4 :] for _, values in curves.values()])
    if not len(late_values):
        return
    low, high = _finite([values for _, values in curves.values()]).min(), late_values.max()
    upper = high + 0.15 * (high - low) + 0.05
    axes.set_ylim(low - 0.05 * (high - low) - 0.01, upper)
    clipped = 0
    for size, (color, (epochs, values)) in zip((11, 8, 5), curves.items(), strict=False):
        above = epochs[values > upper]
        clipped += len(above)
        # Half of a marker lies above the axes, where it would be cut. Those of one epoch lie on each other.
        axes.plot(above, np.full(len(above), upper), "^", color=color, markersize=size, clip_on=False)
    if clipped:
        values = counted(clipped, "value lies", "values lie")
        axes.annotate(
            f"▲ {values} above {upper:.2f}", (0.01, 0.02), xycoords="axes fraction", fontsize=9, color="#595959"
        )


def _finite(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return the finite values of several arrays as one."""
    values = np.concatenate(arrays)
    return values[np.isfinite(values)]
