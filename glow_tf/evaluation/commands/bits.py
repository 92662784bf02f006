"""`bits`: bits/dim of the test split, with errors, the importance-weighted bound and the shares of the levels.

With a folder of other images: the bits/dim of each image, as a table.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from glow_tf import presets
from glow_tf.counts import counted
from glow_tf.data.attribute_classes import class_names
from glow_tf.errors import ConfigError
from glow_tf.evaluation import image_bits, likelihood
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.options import BatchSize, DrawCount, ImageCount, format_error, progress_bar
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.fields import PathText, check_arguments
from glow_tf.model import Glow
from glow_tf.tables import format_table

MAX_BY_LEVEL_IMAGES = 256
"""Test images whose bits/dim are divided among the levels, at most."""


@check_arguments
def bits(
    target: TargetOptions,
    *,
    images: PathText | None = None,
    draws: DrawCount = 8,
    limit: ImageCount | None = None,
    batch_size: BatchSize | None = None,
) -> None:
    """Measure bits/dim on the test split: raw and EMA weights, standard errors, k-draw bound, shares by level.

    Args:
        target: The model, its data, and where the results go.
        images: Folder of your own images: write the bits/dim of each to bits_per_image.csv instead. The images are
            resized to the model's size unless --fit is given.
        draws: Draws of the dequantization noise, and k of the importance-weighted bound.
        limit: Greatest number of images: of the test split, spread evenly over it; of a folder, the first ones.
        batch_size: Images per batch; if not given, it depends on the image size. The result does not depend on it.
    """
    if images is not None:
        _measure_folder(target, images, draws, limit, batch_size)
        return
    context = open_context(target)
    results, shares = {}, {}
    size = context.source.size("test")
    originals, labels, _ = context.spread_arrays("test", min(limit or MAX_BY_LEVEL_IMAGES, MAX_BY_LEVEL_IMAGES))
    labels = context.model_labels(labels)
    total = len(context.weight_sets) * (draws * min(limit or size, size) + len(originals))
    with progress_bar(total, "bits/dim") as bar:
        for name, ema in context.weight_sets.items():
            model = context.load(ema)
            results[name] = likelihood.measure(context, model, draws=draws, batch_size=batch_size, limit=limit, bar=bar)
            shares[name] = likelihood.by_level(model, originals, labels, bar=bar)
    paper = _paper_bits(context, limit)
    values: dict[str, Any] = {
        name: {**result.to_dict(), "by_level": shares[name], "by_level_images": len(originals)}
        for name, result in results.items()
    }
    if paper:
        values["paper"] = paper
    values["variant"] = context.source.variant or None
    variant = f" ({context.source.variant})" if context.source.variant else ""
    measured = f", {limit:,} of them measured" if limit and limit < size else ""
    print(f"{context.source.name}{variant}, {context.describe_test_split()}{measured}")
    print(format_table(_bits_rows(results, draws, paper), indent="  "))
    for name, result in results.items():
        if result.non_finite:
            count = counted(result.values.shape[1], "image")
            print(f"({name}: the bits/dim of {result.non_finite:,} of {count} are not finite, so the mean is not)")
    print(f"shares of the levels in the bits/dim of {counted(len(originals), 'image')}, finest first")
    print(format_table(_share_rows(context.model, shares), indent="  "))
    print(f"numbers: {context.write_json(f'bits{file_suffix(bits, draws=draws, limit=limit)}.json', values)}")


def _paper_bits(context: EvaluationContext, limit: int | None) -> float | None:
    """Return the paper's bits/dim of the model and all images that are measured, or None if it has none."""
    experiment = context.experiment
    if experiment is None or limit is not None or context.data.source != experiment.data.source:
        return None
    return presets.PAPER_BITS.get(experiment.name)


def _measure_folder(target: TargetOptions, folder: str, draws: int, limit: int | None, batch_size: int | None) -> None:
    """Write the bits/dim of each image of a folder as CSV, and print their mean."""
    if target.data is not None:
        raise ConfigError("give --images or --data, not both: either says which images are measured.")
    context = open_context(dataclasses.replace(target, data=f"folder:{folder}"))
    files = image_bits.list_folder(folder)[:limit]
    labels = image_bits.class_labels(files, _known_classes(context), context.model.config.classes)
    with progress_bar(draws * len(files), "bits/dim") as bar:
        fit = target.fit or "resize"
        result, files = image_bits.measure_files(
            context.model,
            files,
            labels,
            fit=fit,
            on_damaged=context.data.on_damaged,
            draws=draws,
            batch_size=batch_size,
            bar=bar,
        )
    path = context.out / f"bits_per_image{file_suffix(bits, draws=draws, limit=limit)}.csv"
    image_bits.write_table(path, files, result)
    print(f"{folder}, {counted(len(files), 'image')}, {context.weights_name}: mean {result.mean:.4f} bits/dim")
    print(f"table: {path}")


def _known_classes(context: EvaluationContext) -> tuple[str, ...] | None:
    """Return the names of the classes with which the model was trained, or None if they are unknown."""
    if context.data.class_attributes:
        return class_names(context.data.class_attributes)
    record = context.experiment.data.split_record if context.experiment is not None else None
    return None if record is None else record.classes


def _bits_rows(results: Mapping[str, likelihood.Bits], draws: int, paper: float | None) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("weights", "bits/dim", "+- draws", "+- images", f"{draws}-draw bound")]
    for name, result in results.items():
        errors = (format_error(error) for error in (result.error_over_draws, result.error_over_images))
        rows.append((name, f"{result.mean:.4f}", *errors, f"{result.importance_weighted:.4f}"))
    if paper:
        rows.append(("paper", f"{paper} (raw weights, selected on the test split)", "", "", ""))
    return rows


def _share_rows(model: Glow, shares: Mapping[str, Sequence[float]]) -> list[tuple[str, ...]]:
    header = ("latents", *("x".join(map(str, shape)) for shape in model.latent_shapes))
    return [header, *((name, *(f"{share:.3f}" for share in level)) for name, level in shares.items())]
