"""`report`, the sub-command that `evaluate.py RUN` runs by default: bits/dim, reconstruction error, pictures."""

import numpy as np

from glow_tf.batched import index_labels
from glow_tf.cli import start
from glow_tf.counts import counted
from glow_tf.evaluation import likelihood, reconstruction
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.examples import choose_examples
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.options import (
    DEFAULT_PICTURES,
    DrawCount,
    PictureOptions,
    ShownCount,
    format_error,
    progress_bar,
)
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.fields import check_arguments
from glow_tf.pictures import draw_sample_sheet
from glow_tf.tables import format_table

MIN_RECONSTRUCTED_IMAGES = 256
"""Test images whose largest reconstruction error is reported, at least."""


@check_arguments
def report(
    target: TargetOptions,
    *,
    draws: DrawCount = 4,
    shown: ShownCount = 10,
    pictures: PictureOptions = DEFAULT_PICTURES,
) -> None:
    """Report test bits/dim and reconstruction error, and draw samples and reconstructions.

    Args:
        target: The model, its data, and where the results go.
        draws: Draws of the dequantization noise.
        shown: Number of test images shown, of all classes.
        pictures: Format and size of the pictures.
    """
    context = open_context(target)
    with progress_bar(draws * context.source.size("test"), "bits/dim") as bar:
        bits = likelihood.measure(context, draws=draws, bar=bar)
    examples = choose_examples(context, shown)
    first = slice(0, len(examples.images))
    originals, labels, _ = context.arrays("test", MIN_RECONSTRUCTED_IMAGES)
    originals = np.concatenate([examples.images, originals])
    labels = None if examples.labels is None else np.concatenate([examples.labels, labels])
    with progress_bar(2 * len(originals), "reconstructing") as bar:
        decoded, error = reconstruction.reconstruct(context.model, originals, labels, bar=bar)
    float_error = reconstruction.float_error(context.model, originals[first], index_labels(labels, first))
    reconstructions = reconstruction.draw_sheet(
        context.model, originals[first], decoded[first], subtitle=context.caption, headings=examples.headings
    )
    name = f"report_reconstructions{file_suffix(report, shown=shown)}"
    reconstructions_path = pictures.save(reconstructions, context.out, name)
    samples = draw_sample_sheet(context.model, subtitle=context.caption)
    samples_path = pictures.save(samples, context.out, "report_samples")
    values = {**bits.to_dict(), "reconstruction_error": error, "reconstruction_error_float": float_error}
    suffix = file_suffix(report, draws=draws, shown=shown)
    rows = [
        (
            "bits/dim",
            f"{bits.mean:.4f} +- {format_error(bits.error_over_draws)} over {counted(draws, 'draw')} of the noise",
        ),
        ("reconstruction error", f"{error} of 255 gray levels ({float_error:.1e} before quantization)"),
        ("reconstructions", reconstructions_path),
        ("samples", samples_path),
        ("numbers", context.write_json(f"report{suffix}.json", values)),
    ]
    print(f"{context.source.name}, {context.describe_test_split()}, {context.weights_name}")
    print(format_table(rows, indent="  "))
    print(f"more: {start.spell('evaluate')} --help")
