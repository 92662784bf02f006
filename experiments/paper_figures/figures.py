"""The figures: the ablation (the paper's figure 3), depth, samples by depth (figure 9), the temperature sheet (8)."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from PIL import Image

from experiments.paper_figures.experiments import COUPLINGS, PERMUTATIONS, parse_depth
from experiments.paper_figures.significance import final_values
from glow_tf.io import write_atomically
from glow_tf.pictures import FIGURE_DPI, Sheet, describe_temperature, draw_sample_sheet
from glow_tf.runs import Run

COLORS = dict(zip(PERMUTATIONS, ("#7a7a7a", "#d95f02", "#1b5e9e"), strict=True))
LABELS = {"reverse": "reverse", "shuffle": "shuffle", "1x1": "1x1 convolution"}
GRID_STYLE = {"alpha": 0.25, "linewidth": 0.6}
NLL_LABEL = "validation NLL (bits/dim)"
TEMPERATURE = 0.7
"""Temperature of the samples by depth (paper, section 6)."""
SAMPLES_PER_DEPTH = 12
DIGITS = "5,000 MNIST digits at 16x16, EMA weights"
MAX_PALETTE_COLORS = 64
"""Colors of a PNG: a third of the bytes, with no difference that an eye can see."""


def draw_all(rows, runs, folder, out):
    """Draw all figures.

    Args:
        rows: rows of the results.
        runs: list of `TrainingRun`, whose models draw the samples.
        folder: folder of their run folders.
        out: folder to write.
    """
    draw_ablation(out / "ablation.png", rows)
    draw_depth(out / "depth.png", rows)
    models = {
        parse_depth(run.name): Run.open(folder / run.folder).model("last", ema=True)
        for run in runs
        if run.seed == 0 and parse_depth(run.name)
    }
    draw_by_depth(samples_by_depth(models)).save(out / "samples_by_depth.png")
    largest = max(models)
    subtitle = "{}, L = {}, K = {}".format(DIGITS, *largest)
    draw_sample_sheet(models[largest], subtitle=subtitle).save(out / "temperature.png")


def draw_ablation(path, rows):
    """Draw validation bits/dim against steps, and below it the difference from reverse; bands are over seeds.

    Args:
        path: file to write.
        rows: rows of the results.
    """
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 2))
    for column, coupling in enumerate(COUPLINGS):
        steps, curves = _validation_curves(rows, [f"{p} {coupling}" for p in PERMUTATIONS])
        for permutation, curve in zip(PERMUTATIONS, curves, strict=True):
            _draw_band(axes[0, column], steps, curve, COLORS[permutation], LABELS[permutation])
            _draw_band(axes[1, column], steps, curve - curves[0], COLORS[permutation])
        axes[0, column].set_title(f"{coupling} coupling", fontsize=11)
        axes[1, column].set_xlabel("training steps")
    curves = [row["validation"] for row in rows if row["name"].split()[-1] in COUPLINGS]
    late_values = [value for curve in curves for value in curve[1:]]
    if late_values:  # the first validation is far off and would hide the rest
        axes[0, 0].set_ylim(min(late_values) - 0.1, max(late_values) + 0.1)
    axes[0, 0].set_ylabel(NLL_LABEL)
    axes[1, 0].set_ylabel("difference from reverse,\npaired by seed (bits/dim)")
    axes[0, 1].legend(
        frameon=False,
        title="mean and one standard\ndeviation of the seeds",
        alignment="left",
        fontsize=9,
        title_fontsize=9,
    )
    _save(figure, path, axes)


def draw_depth(path, rows):
    """Draw bits/dim after the last step against K and against L.

    Args:
        path: file to write.
        rows: rows of the results.
    """
    final = final_values(rows)
    points = {parse_depth(name): list(seeds.values()) for name, seeds in final.items() if parse_depth(name)}
    most_levels, common_depth = _crossing(points)
    series = {
        f"flow steps per level, K (L = {most_levels})": {
            k: values for (levels, k), values in points.items() if levels == most_levels
        },
        f"levels, L (K = {common_depth})": {
            levels: values for (levels, k), values in points.items() if k == common_depth
        },
    }
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    color = COLORS["1x1"]
    for axis, (label, values_by_size) in zip(axes, series.items(), strict=True):
        sizes = sorted(values_by_size)
        for size in sizes:
            values = values_by_size[size]
            [dots] = axis.plot([size] * len(values), values, "o", color=color, alpha=0.35, markersize=4, mew=0)
        dots.set_label("a seed")
        means = [np.mean(values_by_size[size]) for size in sizes]
        axis.plot(sizes, means, color=color, marker="_", markersize=12, label="mean")
        axis.set_xticks(sizes)
        axis.set_xlabel(label)
    axes[0].set_xscale("log", base=2)
    axes[0].xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axes[0].set_ylabel(NLL_LABEL)
    axes[0].legend(frameon=False)
    _save(figure, path, axes)


def samples_by_depth(models):
    """Sample from the shallowest and the deepest model along K and along L, all from the same seed.

    Args:
        models: dictionary of (L, K) -> `Glow`.

    Returns:
        Dictionary of (L, K) -> uint8 images.
    """
    most_levels, common_depth = _crossing(models)
    least_depth = min(k for levels, k in models if levels == most_levels)
    chosen = [(most_levels, least_depth), max(models), (1, common_depth), (most_levels, common_depth)]
    return {
        size: models[size].sample(SAMPLES_PER_DEPTH, temperature=TEMPERATURE, seed=0).numpy()
        for size in dict.fromkeys(chosen)
    }


def draw_by_depth(images):
    """Return a `Sheet` of samples by depth.

    Args:
        images: dictionary of (L, K) -> uint8 images.
    """
    rows = [("L = {}, K = {}".format(*size), row) for size, row in images.items()]
    return Sheet(rows, f"Samples by depth at {describe_temperature(TEMPERATURE)}", f"{DIGITS}, seed 0")


def _crossing(sizes):
    """Return (L, K) where the two lines of sizes meet: the largest L, and the K of the models with one level."""
    return max(levels for levels, _ in sizes), max(k for levels, k in sizes if levels == 1)


def _validation_curves(rows, names):
    """Return the steps, and validation bits/dim `[names, seeds, steps]` of the seeds that all names have."""
    by_key = {(row["name"], row["seed"]): row for row in rows if row["name"] in names}
    seeds = [s for s in sorted({s for _, s in by_key}) if all((name, s) in by_key for name in names)]
    curves = [[by_key[name, s]["validation"] for s in seeds] for name in names]
    return by_key[names[0], seeds[0]]["steps"], np.array(curves)


def _draw_band(axis, steps, curves, color, label=None):
    """Draw the mean of `curves` `[seeds, steps]`, and a band of one standard deviation around it."""
    mean, deviation = curves.mean(0), curves.std(0, ddof=1) if len(curves) > 1 else 0
    axis.fill_between(steps, mean - deviation, mean + deviation, color=color, alpha=0.25, linewidth=0)
    axis.plot(steps, mean, color=color, label=label)


def _save(figure, path, axes=()):
    for axis in np.ravel(axes):
        axis.grid(**GRID_STYLE)
        axis.spines[["top", "right"]].set_visible(False)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=FIGURE_DPI)
    image = Image.open(data).convert("RGB").quantize(MAX_PALETTE_COLORS)
    write_atomically(path, lambda temporary: image.save(temporary, format="PNG", optimize=True))
