"""`samples`: sheets of samples, their bits/dim and nearest training images."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from glow_tf.evaluation.context import EvaluationContext, TargetOptions, open_context
from glow_tf.evaluation.options import ShownCount, Temperature, progress_bar
from glow_tf.evaluation.samples import Samples, draw_samples, nearest_images, search_limit
from glow_tf.fields import NotEmpty, Seed32, check_arguments
from glow_tf.pictures import TEMPERATURES, save_png, sheet
from glow_tf.tables import format_table
from glow_tf.types import Images

MAX_CLASSES_SHOWN = 20
NEAREST_SHOWN_AT = 0.7
"""Temperature of the samples that are shown with their nearest training images, or the one closest to it."""


@check_arguments
def samples(
    target: TargetOptions,
    *,
    columns: ShownCount = 10,
    rows: ShownCount = 4,
    temperatures: Annotated[tuple[Temperature, ...], NotEmpty()] = TEMPERATURES,
    seed: Seed32 = 0,
) -> None:
    """Draw a sheet of samples per temperature, by class where conditional, and their nearest training images.

    Labels enter through the top prior alone, as in the original code.

    Args:
        target: The model, its data, and where the results go.
        columns: Samples in a row.
        rows: Rows of a sheet; a conditional model has one for each class instead, at most 20.
        temperatures: One sheet each, and a row of the overview.
        seed: Another seed, other samples; the same latents at every temperature.
    """
    context = open_context(target)
    model = context.model
    names, labels, overview = _lay_out(context, columns, rows)
    count = len(names) * columns
    with progress_bar(2 * len(temperatures) * count, "sampling") as bar:
        drawn = draw_samples(model, count, temperatures, labels, seed=seed, bar=bar)
    training_images = context.arrays("train", search_limit(model.config.dims))[0]
    nearest = {t: nearest_images(s.images, training_images) for t, s in drawn.items()}
    test_distances = nearest_images(context.arrays("test", count)[0], training_images)[1][:, 0]

    _draw_sheets(context.out, drawn, names, overview)
    usual = min(drawn, key=lambda t: abs(t - NEAREST_SHOWN_AT))
    _draw_nearest(context.out, usual, drawn[usual].images[overview], nearest[usual][0][overview])

    by_temperature, table = {}, [("temperature", "bits/dim", "gray levels to the nearest training image")]
    for t, s in drawn.items():
        distance = float(np.median(nearest[t][1][:, 0]))
        by_temperature[f"{t:g}"] = {"bits_per_dim": float(s.bits.mean()), "distance_to_training": distance}
        table.append((f"{t:g}", f"{s.bits.mean():.3f}", f"{distance:.1f}"))
    test_distance, searched = float(np.median(test_distances)), len(training_images)
    table.append(("test images", "", f"{test_distance:.1f}"))
    condition = "; labels enter through the top prior alone" if model.config.classes else ""
    print(f"{context.source.name}, {context.weights_name}, {count} samples a temperature{condition}")
    print(format_table(table, indent="  "))
    print(f"(median root mean square distance to the nearest of {searched:,} training images)")
    print(f"overview:     {context.out / 'samples.png'}")
    print(f"sheets:       {context.out / 'samples' / 'temperature_*.png'}")
    print(f"no copies:    {context.out / 'nearest.png'}")
    values = {"temperatures": by_temperature, "test_distance_to_training": test_distance, "searched": searched}
    print(f"numbers:      {context.write_json('samples.json', values)}")


def _lay_out(
    context: EvaluationContext, columns: int, rows: int
) -> tuple[Sequence[str], np.ndarray | None, np.ndarray]:
    """Return the row names of a sheet, the labels of its samples, and the indices of samples for the overview."""
    classes = min(context.model.config.classes, MAX_CLASSES_SHOWN)
    if not classes:
        return [""] * rows, None, np.arange(columns)
    overview = np.arange(columns) % classes * columns + np.arange(columns)  # of another class in each column
    return context.source.class_names[:classes], np.repeat(np.arange(classes), columns), overview


def _draw_sheets(
    folder: pathlib.Path, drawn: Mapping[float, Samples], names: Sequence[str], overview: np.ndarray
) -> None:
    """Draw a sheet per temperature, and an overview with a row per temperature."""
    rows = [(f"{t:g}", s.images[overview]) for t, s in drawn.items()]
    save_png(folder / "samples.png", sheet(rows, title="samples by temperature"))
    for t, s in drawn.items():
        lines = s.images.reshape(len(names), -1, *s.images.shape[1:])
        page = sheet(list(zip(names, lines, strict=True)), title=f"temperature {t:g}")
        save_png(folder / "samples" / f"temperature_{t:g}.png", page)


def _draw_nearest(folder: pathlib.Path, temperature: float, images: Images, nearest: np.ndarray) -> None:
    """Draw samples `[n, H, W, C]` above their nearest training images `[n, count, H, W, C]`."""
    rows = [("sample", images), *((f"nearest {i + 1}", nearest[:, i]) for i in range(nearest.shape[1]))]
    title = f"samples at {temperature:g}, and the training images nearest to them"
    save_png(folder / "nearest.png", sheet(rows, title=title))
