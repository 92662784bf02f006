"""`compare`: the bits/dim of two data sets under one model."""

import dataclasses
from typing import Annotated

import tyro

from glow_tf.counts import counted
from glow_tf.errors import ConfigError
from glow_tf.evaluation import comparison, likelihood
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.options import DEFAULT_PICTURES, ImageCount, PictureOptions, format_error, progress_bar
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.fields import PathText, check_arguments
from glow_tf.tables import format_table


@check_arguments
def compare(
    target: TargetOptions,
    *,
    against: Annotated[PathText, tyro.conf.arg(metavar="SOURCE")],
    limit: ImageCount = 1000,
    pictures: PictureOptions = DEFAULT_PICTURES,
) -> None:
    """Draw histograms of the bits/dim of two data sets; compute the AUROC of bits/dim as a score that separates them.

    Args:
        target: The model, its data, and where the results go.
        against: The other source, such as tfds:svhn_cropped; its images are resized to the model's size.
        limit: Greatest number of test images of each source, spread evenly over the split.
        pictures: Format and size of the histograms.
    """
    inside = open_context(target)
    if inside.model.config.classes:
        raise ConfigError(
            f"{inside.path} is conditional on classes, which the other data set does not have; compare needs an "
            "unconditional model."
        )
    outside = open_context(dataclasses.replace(target, data=against, fit="resize"))
    contexts = (inside, outside)
    with progress_bar(sum(min(limit, c.source.size("test")) for c in contexts), "bits/dim") as bar:
        results = [likelihood.measure(c, inside.model, draws=1, limit=limit, bar=bar) for c in contexts]
    names, bits = [c.source.name for c in contexts], [result.values[0] for result in results]
    auroc = comparison.auroc(*bits)
    file_name = f"comparison{file_suffix(compare, against=against, limit=limit)}"
    sets = list(zip(names, bits, strict=True))
    path = pictures.save(comparison.Histograms(sets, auroc, inside.caption), inside.out, file_name)
    rows = [("source", "images", "bits/dim", "+- images")]
    for name, result in zip(names, results, strict=True):
        rows.append((name, f"{result.values.shape[1]:,}", f"{result.mean:.4f}", format_error(result.error_over_images)))
    print(format_table(rows, indent="  "))
    print(
        f"AUROC {auroc:.3f} (probability that an image of {against} has more bits/dim than a test image; 0.5 is chance)"
    )
    for name, result in zip(names, results, strict=True):
        if result.non_finite:
            count = counted(result.values.shape[1], "image")
            print(f"(the bits/dim of {result.non_finite:,} of {count} of {name} are not finite)")
    print(f"histograms: {path}")
    values = {"auroc": auroc, "inside": results[0].to_dict(), "against": {"source": names[1], **results[1].to_dict()}}
    print(f"numbers: {inside.write_json(f'{file_name}.json', values)}")
