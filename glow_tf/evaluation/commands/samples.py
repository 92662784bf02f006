"""`samples`: sheets of samples, their bits/dim and nearest training images."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from glow_tf.counts import counted
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.drawn_images import as_drawn, black_remark, describe_non_finite
from glow_tf.evaluation.file_names import file_suffix, number_word
from glow_tf.evaluation.options import DEFAULT_PICTURES, PictureOptions, ShownCount, Temperature, progress_bar
from glow_tf.evaluation.samples import Samples, draw_samples, nearest_images, search_limit
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.fields import NotEmpty, Seed32, check_arguments
from glow_tf.pictures import TEMPERATURES, Row, Sheet, describe_temperature, draw_by_temperature
from glow_tf.tables import format_table

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
    pictures: PictureOptions = DEFAULT_PICTURES,
) -> None:
    """Draw a sheet of samples per temperature, by class if conditional, and the samples' nearest training images.

    Labels enter through the top prior alone, as in the original code.

    Args:
        target: The model, its data, and where the results go.
        columns: Samples in a row.
        rows: Rows of a sheet; a conditional model has one for each class instead, at most 20.
        temperatures: Temperatures, each with a sheet and a row of the overview.
        seed: Seed of the samples; the latents are the same at every temperature except for their scale.
        pictures: Format and size of the pictures.
    """
    context = open_context(target)
    model = context.model
    names, labels, overview = _lay_out(context, columns, rows)
    count = len(names) * columns
    with progress_bar(2 * len(temperatures) * count, "sampling") as bar:
        drawn = draw_samples(model, count, temperatures, labels, seed=seed, bar=bar)
    training_images = as_drawn(context.spread_arrays("train", search_limit(model.config.dims))[0], model)
    nearest = {t: nearest_images(s.images, training_images) for t, s in drawn.items()}
    test_images = as_drawn(context.spread_arrays("test", count)[0], model)
    test_distances = nearest_images(test_images, training_images)[1][:, 0]

    caption = f"{context.caption}, seed {seed}"
    remark = black_remark(*(s.drawn.select(overview) for s in drawn.values()))
    suffix = file_suffix(samples, columns=columns, rows=rows, temperatures=temperatures, seed=seed)
    sheets = {"samples": draw_by_temperature({t: s.images[overview] for t, s in drawn.items()}, caption + remark)}
    usual = min(drawn, key=lambda t: abs(t - NEAREST_SHOWN_AT))
    neighbors, distances = (part[overview] for part in nearest[usual])
    sheets["nearest"] = _draw_nearest(
        usual,
        drawn[usual].images[overview],
        neighbors,
        distances,
        caption + black_remark(drawn[usual].drawn.select(overview)),
    )
    paths = {name: pictures.save(drawing, context.out, f"{name}{suffix}") for name, drawing in sheets.items()}
    by_temperature_path = context.out / f"samples{suffix}"
    for t, drawing in _draw_temperatures(drawn, names, caption).items():
        pictures.save(drawing, by_temperature_path, f"temperature_{number_word(t)}")

    by_temperature, table = {}, [("temperature", "bits/dim", "gray levels to the nearest training image")]
    for t, s in drawn.items():
        to_nearest = nearest[t][1][s.drawn.finite, 0]
        distance = float(np.median(to_nearest)) if len(to_nearest) else math.nan
        bits, non_finite = s.mean_bits(), s.drawn.non_finite
        by_temperature[f"{t:g}"] = {"bits_per_dim": bits, "distance_to_training": distance, "non_finite": non_finite}
        table.append((f"{t:g}", f"{bits:.3f}", f"{distance:.1f}"))
    test_distance, searched = float(np.median(test_distances)), len(training_images)
    table.append(("test images", "", f"{test_distance:.1f}"))
    condition = "; labels enter through the top prior alone" if model.config.classes else ""
    print(f"{context.source.name}, {context.weights_name}, {counted(count, 'sample')} a temperature{condition}")
    print(format_table(table, indent="  "))
    print(f"(median root mean square distance to the nearest of {counted(searched, 'training image')})")
    for t, s in drawn.items():
        if s.drawn.non_finite:
            remark = describe_non_finite(s.drawn.non_finite, count, "black, and left out of the numbers")
            print(f"({describe_temperature(t)}: {remark})")
    print(f"overview:     {paths['samples']}")
    print(f"sheets:       {by_temperature_path / f'temperature_*{pictures.ending}'}")
    print(f"nearest:      {paths['nearest']}")
    values = {"temperatures": by_temperature, "test_distance_to_training": test_distance, "searched": searched}
    print(f"numbers:      {context.write_json(f'samples{suffix}.json', values)}")


def _lay_out(
    context: EvaluationContext, columns: int, rows: int
) -> tuple[Sequence[str], np.ndarray | None, np.ndarray]:
    """Return the row names of a sheet, the labels of its samples, and the indices of samples for the overview."""
    classes = min(context.model.config.classes, MAX_CLASSES_SHOWN)
    if not classes:
        return [""] * rows, None, np.arange(columns)
    overview = np.arange(columns) % classes * columns + np.arange(columns)  # of another class in each column
    return context.source.class_names[:classes], np.repeat(np.arange(classes), columns), overview


def _draw_temperatures(drawn: Mapping[float, Samples], names: Sequence[str], caption: str) -> dict[float, Sheet]:
    """Draw a sheet of the samples of each temperature, with a row for each name."""
    sheets = {}
    for t, s in drawn.items():
        lines = s.images.reshape(len(names), -1, *s.images.shape[1:])
        sheets[t] = Sheet(
            list(zip(names, lines, strict=True)),
            f"Samples at {describe_temperature(t)}",
            caption + black_remark(s.drawn),
        )
    return sheets


def _draw_nearest(
    temperature: float, images: np.ndarray, nearest: np.ndarray, distances: np.ndarray, caption: str
) -> Sheet:
    """Draw samples `[n, H, W, C]` above their nearest training images `[n, count, H, W, C]`, with the distances."""
    rows = [Row("sample", images)]
    for i in range(nearest.shape[1]):
        rows.append(Row(f"nearest {i + 1}", nearest[:, i], [f"{distance:.1f}" for distance in distances[:, i]]))
    title = f"Samples at {describe_temperature(temperature)} and the training images nearest to them"
    return Sheet(rows, title, f"{caption}; numbers are root mean square distances in gray levels")
