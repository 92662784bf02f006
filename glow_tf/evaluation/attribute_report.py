"""Report what is measured of attributes: a table as lines and in Markdown, and a sheet of strips."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from glow_tf.attributes import Attributes
from glow_tf.edits import decode_with_overshoot
from glow_tf.evaluation.attribute_measurement import AttributeImages, measure_attributes, number_of_images
from glow_tf.evaluation.attribute_strips import draw_strips, reduced_remark, strip_images
from glow_tf.evaluation.options import PictureOptions, progress_bar
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.io import write_text
from glow_tf.tables import format_table

MIN_IMAGES_TO_COMPILE = 2000
"""Images from which on it pays to compile the decoding, which takes some seconds."""


def write_report(
    context: EvaluationContext,
    directions: Mapping[str, Attributes],
    images: AttributeImages,
    names: Sequence[str],
    counts: tuple[int, int],
    origin: str,
    pictures: PictureOptions,
    file_name: str,
) -> tuple[list[str], dict[str, Any]]:
    """Measure attributes (see `measure_attributes`), and write the table and the strips.

    Args:
        context: model, and folder of the files.
        directions: the directions of each method; the first ones are drawn.
        images: real images with attributes.
        names: the attributes to measure.
        counts: images with an attribute, and as many without it, at most; and number of samples.
        origin: how the directions that are drawn were computed.
        pictures: format and size of the sheet.
        file_name: name of the files without their endings.

    Returns:
        The lines to print, and the numbers as what JSON can hold; both empty if all attributes are constant in the
        test images.
    """
    model, (count, samples) = context.model, counts
    total = number_of_images(len(names), len(directions), count, samples)
    decode = functools.partial(decode_with_overshoot, model)
    if total >= MIN_IMAGES_TO_COMPILE:
        decode = tf.function(decode, autograph=False, reduce_retracing=True)
    with progress_bar(total, "measuring") as bar:
        table = measure_attributes(
            model, directions, images, names, count=count, samples=samples, decode=decode, bar=bar
        )
    if table is None:
        return [], {}
    lines = [
        "share of images in which a classifier of real images detects the attribute: of test images without it, moved",
        "by + the strength, of those with it, moved by -; others: share of other attributes that it sees change",
        format_table(table.rows(), indent="  "),
        *(f"  {remark}" for remark in table.remarks()),
    ]
    write_text(context.out / f"{file_name}.md", table.to_markdown())
    names, method = list(table.accuracies), next(iter(directions))
    strength = table.methods[method].strength
    strips, reduced = strip_images(model, directions[method], images.test, names, strength)
    subtitle = f"{context.caption}; {origin}{reduced_remark(reduced)}"
    path = pictures.save(draw_strips(names, strips, strength, subtitle), context.out, file_name)
    lines.append(f"table:    {context.out / file_name}.md, strips: {path}")
    return lines, table.to_json()
