"""`reconstruct`: reconstructions of images, and the images with redrawn fine latents."""

import math
from typing import Annotated

import numpy as np

from glow_tf.counts import counted
from glow_tf.evaluation import reconstruction
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.drawn_images import DrawnImages, black_remark, describe_non_finite
from glow_tf.evaluation.examples import read_examples
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.options import (
    DEFAULT_PICTURES,
    MAX_LABEL,
    PictureOptions,
    ShownCount,
    Temperature,
    progress_bar,
)
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.fields import Between, PathText, Seed32, check_arguments
from glow_tf.pictures import Row, describe_temperature
from glow_tf.tables import format_table


@check_arguments
def reconstruct(
    target: TargetOptions,
    *,
    images: tuple[PathText, ...] = (),
    shown: ShownCount = 10,
    temperature: Temperature = 0.7,
    seed: Seed32 = 0,
    label: Annotated[int, Between(0, MAX_LABEL)] | None = None,
    pictures: PictureOptions = DEFAULT_PICTURES,
) -> None:
    """Reconstruct images, measure the largest error, and draw the images with their fine latents redrawn.

    Args:
        target: The model, its data, and where the results go.
        images: Your own image files, instead of test images.
        shown: Number of test images shown and measured, of all classes.
        temperature: Temperature of the redrawn latents.
        seed: Seed of the redrawn latents.
        label: Class of your own files, for a conditional model; 0 if not given.
        pictures: Format and size of the picture.
    """
    context = open_context(target)
    examples = read_examples(context, shown, images, label)
    originals, labels, levels = examples.images, examples.labels, context.model.config.levels
    with progress_bar((levels + 4) * len(originals), "reconstructing") as bar:
        decoded, error = reconstruction.reconstruct(context.model, originals, labels, bar=bar)
        redrawn = reconstruction.redraw_levels(
            context.model, originals, labels, temperature=temperature, seed=seed, bar=bar
        )
    names = ["none", *(f"finest {i}" for i in range(1, levels)), "all"]
    labels_in_words = [f"finest {f'{i} levels' if i > 1 else 'level'} redrawn" for i in range(1, levels)]
    redrawn_at = f"redrawn at {describe_temperature(temperature)}, seed {seed}"
    redrawn_rows = [row.images for row in redrawn[1:]]
    sheet = reconstruction.draw_sheet(
        context.model,
        originals,
        decoded,
        subtitle=f"{context.caption}; {redrawn_at}{black_remark(*redrawn)}",
        headings=examples.headings,
        more_rows=[Row(*row) for row in zip([*labels_in_words, "all levels redrawn"], redrawn_rows, strict=True)],
    )
    suffix = file_suffix(reconstruct, shown=shown, temperature=temperature, seed=seed) + examples.suffix
    path = pictures.save(sheet, context.out, f"reconstructions{suffix}")
    changes = [_mean_change(row, decoded) for row in redrawn]
    print(f"largest error of {counted(len(originals), 'image')}: {error} of 255 gray levels")
    rows = [(name, f"{change:.1f}") for name, change in zip(names, changes, strict=True)]
    print(format_table([("levels drawn anew", "mean change, gray levels"), *rows], indent="  "))
    non_finite, count = sum(row.non_finite for row in redrawn), len(redrawn) * len(originals)
    if non_finite:
        print(f"({describe_non_finite(non_finite, count, 'black, and left out of the changes', 'image')})")
    print(f"pictures: {path}")
    values = {"largest_error": error, "images": len(originals), "change": dict(zip(names, changes, strict=True))}
    values.update(names=examples.names, temperature=temperature, non_finite=non_finite)
    print(f"numbers:  {context.write_json(f'reconstructions{suffix}.json', values)}")


def _mean_change(redrawn: DrawnImages, decoded: np.ndarray) -> float:
    """Return the mean absolute difference of the finite images from the reconstructions; NaN if none is finite."""
    if not redrawn.finite.any():
        return math.nan
    return float(np.abs(redrawn.finite_images.astype(float) - decoded[redrawn.finite]).mean())
