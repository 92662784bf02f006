"""The figures: the ablation (the paper's figure 3), depth, samples by depth (figure 9), the temperature sheet (8)."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from PIL import Image

from docs.figures.cells import COUPLINGS, PERMUTATIONS, depth_of
from docs.figures.verdict import last_values
from glow_tf.pictures import enlarged, grid, sample_sheet, save_png
from glow_tf.runs import Run, write_atomically

COLOURS = dict(zip(PERMUTATIONS, ("#7a7a7a", "#d95f02", "#1b5e9e"), strict=True))
STYLE = {"alpha": 0.25, "linewidth": 0.6}
LABELS = {"reverse": "reverse", "shuffle": "shuffle", "1x1": "1x1 convolution"}
TEMPERATURE = 0.7
"""Of the samples by depth (paper, section 6)."""


def everything(rows, cells, out):
    """Draws all figures into the folder `out`, which holds the models of the `cells` too."""
    ablation(out / "ablation.png", rows)
    depth(out / "depth.png", rows)
    models = {
        depth_of(cell.name): Run.open(out / "cells" / cell.folder).model("last", average=True)
        for cell in cells
        if cell.seed == 0 and depth_of(cell.name)
    }
    samples_by_depth(out / "samples_by_depth.png", models)
    save_png(out / "temperature.png", sample_sheet(models[max(models)]))


def ablation(path, rows):
    """Validation bits/dim against steps, and below it what each permutation gains on reverse; bands over seeds."""
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 2))
    for column, coupling in enumerate(COUPLINGS):
        steps, curves = _curves(rows, [f"{p} {coupling}" for p in PERMUTATIONS])
        for permutation, curve in zip(PERMUTATIONS, curves, strict=True):
            _band(axes[0, column], steps, curve, COLOURS[permutation], LABELS[permutation])
            _band(axes[1, column], steps, curve - curves[0], COLOURS[permutation])
        axes[0, column].set_title(f"{coupling} coupling", fontsize=11)
        axes[1, column].set_xlabel("training steps")
    found = [row["validation"] for row in rows if row["name"].split()[-1] in COUPLINGS]
    late = [value for values in found for value in values[1:]]
    if late:  # the first validation is far off and would hide the rest
        axes[0, 0].set_ylim(min(late) - 0.1, max(late) + 0.1)
    axes[0, 0].set_ylabel("validation NLL (bits/dim)")
    axes[1, 0].set_ylabel("difference from reverse,\npaired by seed (bits/dim)")
    axes[0, 1].legend(frameon=False)
    _save(figure, path, axes)


def depth(path, rows):
    """Bits/dim after the last step against K and against L."""
    points = {depth_of(name): list(seeds.values()) for name, seeds in last_values(rows).items() if depth_of(name)}
    deepest, common = _crossing(points)
    along = {
        f"flow steps a level, K (L = {deepest})": {k: v for (levels, k), v in points.items() if levels == deepest},
        f"levels, L (K = {common})": {levels: v for (levels, k), v in points.items() if k == common},
    }
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (label, values) in zip(axes, along.items(), strict=True):
        values = dict(sorted(values.items()))
        places = list(values)
        for place, some in values.items():
            axis.plot([place] * len(some), some, "o", color=COLOURS["1x1"], alpha=0.35, markersize=4, markeredgewidth=0)
        axis.plot(places, [np.mean(v) for v in values.values()], color=COLOURS["1x1"], marker="_", markersize=12)
        axis.set_xticks(places)
        axis.set_xlabel(label)
    axes[0].set_xscale("log", base=2)
    axes[0].xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axes[0].set_ylabel("validation NLL (bits/dim)")
    _save(figure, path, axes)


def samples_by_depth(path, models):
    """Samples of the shallowest and the deepest model along K and along L, the same latents' seed for all."""
    levels, common = _crossing(models)
    chosen = [(levels, min(k for size, k in models if size == levels)), max(models), (1, common), (levels, common)]
    figure = Figure(figsize=(8, 4.1), layout="constrained")
    for axis, size in zip(figure.subplots(2, 2).flat, chosen, strict=True):
        images = models[size].sample(36, temperature=TEMPERATURE, seed=0)
        axis.imshow(grid(enlarged(images), columns=9, gap=4), cmap="gray", vmin=0, vmax=255)
        axis.set_title("L = {}, K = {}".format(*size), fontsize=11)
        axis.axis("off")
    _save(figure, path)


def _crossing(sizes):
    """(L, K) where the two lines of sizes meet: the largest L, and the K of the models with one level."""
    return max(levels for levels, _ in sizes), max(k for levels, k in sizes if levels == 1)


def _curves(rows, names):
    """The steps, and validation bits/dim `[names, seeds, steps]` of the seeds that all of them have."""
    found = {(row["name"], row["seed"]): row for row in rows if row["name"] in names}
    seeds = [s for s in sorted({s for _, s in found}) if all((name, s) in found for name in names)]
    curves = [[found[name, s]["validation"] for s in seeds] for name in names]
    return found[names[0], seeds[0]]["steps"], np.array(curves)


def _band(axis, steps, curve, colour, label=None):
    """The mean over seeds, and one standard deviation either way."""
    mean, deviation = curve.mean(0), curve.std(0, ddof=1) if len(curve) > 1 else 0
    axis.fill_between(steps, mean - deviation, mean + deviation, color=colour, alpha=0.25, linewidth=0)
    axis.plot(steps, mean, color=colour, label=label)


def _save(figure, path, axes=()):
    for axis in np.ravel(axes):
        axis.grid(**STYLE)
        axis.spines[["top", "right"]].set_visible(False)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    small = Image.open(data).convert("RGB").quantize(64)  # a third of the bytes, for the eye the same
    write_atomically(path, lambda p: small.save(p, format="PNG", optimize=True))
