"""Report what is measured of attributes: a table as lines and in Markdown, and a sheet of strips."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from glow_tf.attributes import Attributes
from glow_tf.edits import decode_with_overshoot
from glow_tf.evaluation.attribute_measurement import AttributeImages, AttributeMeasurement
from glow_tf.evaluation.attribute_strips import draw_strips, reduced_remark, strip_images
from glow_tf.evaluation.options import PictureOptions, progress_bar
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.io import write_text
from glow_tf.tables import format_table

MIN_IMAGES_TO_COMPILE = 2000
"""Images from which on it pays to compile the decoding, which takes some seconds."""


def start_measurement(
    context: EvaluationContext, images: AttributeImages, names: Sequence[str], methods: int, counts: tuple[int, int]
) -> AttributeMeasurement:
    """Return what calibrates and measures directions, with a compiled `decode` if that pays.

    Args:
        context: the model that moves images.
        images: real images with attributes.
        names: the attributes to calibrate and to measure.
        methods: number of methods, each of which has directions.
        counts: images with an attribute, and as many without it, at most, of which 0 skips the samples too; and number
            of samples.
    """
    measurement = AttributeMeasurement(context.model, images, names)
    measured = measurement.images_to_measure(methods, *counts) if counts[0] else 0
    if measurement.images_to_calibrate(methods) + measured >= MIN_IMAGES_TO_COMPILE:
        decode = functools.partial(decode_with_overshoot, context.model)
        measurement.decode = tf.function(decode, reduce_retracing=True, autograph=False)
    return measurement


def write_report(
    context: EvaluationContext,
    measurement: AttributeMeasurement,
    directions: Mapping[str, Attributes],
    counts: tuple[int, int],
    origin: str,
    pictures: PictureOptions,
    file_name: str,
) -> tuple[list[str], dict[str, Any]]:
    """Measure attributes (see `AttributeMeasurement`), and write the table and the strips.

    Args:
        context: model, and folder of the files.
        measurement: what measures the directions.
        directions: the directions of each method; the first ones are drawn.
        counts: images with an attribute, and as many without it, at most; and number of samples.
        origin: how the directions that are drawn were computed.
        pictures: format and size of the sheet.
        file_name: name of the files without their endings.

    Returns:
        The lines to print, and the numbers as what JSON can hold, which are none if no attribute can be measured.
    """
    names, (count, samples) = measurement.names, counts
    left_out = ", ".join(measurement.left_out)
    remarks = [f"not measured, as no test images differ in it: {left_out}"] if left_out else []
    if not names:
        return remarks, {}
    with progress_bar(measurement.images_to_measure(len(directions), *counts), "measuring") as bar:
        table = measurement.measure(directions, count=count, samples=samples, bar=bar)
    lines = [
        "share of images in which a classifier of real images detects the attribute: of test images without it, moved",
        "by strength +1, of those with it, moved by -1; others: share of other attributes that it sees change",
        format_table(table.rows(), indent="  "),
        *(f"  {remark}" for remark in [*table.remarks(), *remarks]),
    ]
    write_text(context.out / f"{file_name}.md", table.to_markdown())
    strips, reduced = strip_images(context.model, next(iter(directions.values())), measurement.images.test, names)
    subtitle = f"{context.caption}; {origin}{reduced_remark(reduced)}"
    path = pictures.save(draw_strips(names, strips, subtitle), context.out, file_name)
    lines.append(f"table:    {context.out / file_name}.md, strips: {path}")
    return lines, table.to_json()
