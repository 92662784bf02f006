"""`attributes`: directions in latent space from labels or attributes, applied to test images, and measured."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np

from glow_tf import animation, batched
from glow_tf.attributes import METHODS, Attributes, load_attributes
from glow_tf.batched import ProgressBar
from glow_tf.errors import ConfigError
from glow_tf.evaluation.accuracy import MAX_TRAINING_IMAGES, SampleClassifier
from glow_tf.evaluation.attribute_accuracy import balanced_accuracies, detection_rates
from glow_tf.evaluation.context import EvaluationContext, TargetOptions, open_context
from glow_tf.evaluation.labeled_images import TrainHeldOut, attribute_names, read_folders, read_splits
from glow_tf.evaluation.options import MAX_IMAGES, ShownCount, progress_bar
from glow_tf.fields import Between, NotEmpty, PathText, check_arguments
from glow_tf.pictures import enlarged, grid, save_png, sheet
from glow_tf.tables import format_table

MAX_ATTRIBUTES_SHOWN = 10
"""Attributes shown if none are named."""
FRAMES = 16
"""Frames of an animation from the least strength to the greatest."""
SECONDS = 3.0

Strength = Annotated[float, Between(-100, 100)]


@check_arguments
def attributes(
    target: TargetOptions,
    *,
    names: tuple[str, ...] = (),
    folders: tuple[PathText, ...] = (),
    load: PathText | None = None,
    save: PathText | None = None,
    method: Literal["means", "logistic"] = "means",
    strengths: Annotated[tuple[Strength, ...], NotEmpty()] = (-1.0, -0.5, 0.0, 0.5, 1.0),
    images: ShownCount = 4,
    limit: Annotated[int, Between(2, MAX_IMAGES)] = 2000,
    measured: Annotated[int, Between(0, MAX_IMAGES)] = 50,
    video: Literal["gif", "mp4"] | None = None,
) -> None:
    """Compute attribute directions from labels or attributes, apply them to test images, and measure their effect.

    A classifier trained on real training images detects the attribute in test images, before and after they are moved
    along the direction of either method.

    Args:
        target: The model, its data, and where the results go.
        names: Attributes to show: classes or attributes of the source; the first ten if not given.
        folders: Two folders of your own: images with an attribute, and images without.
        load: Directions saved earlier (.npz), or the original code's z_manipulate.npy.
        save: File (.npz) to save the directions in; if not given, computed ones are in attributes.npz next to the
            pictures.
        method: Method of the pictures and the file: the original code's difference of means, or logistic regression
            on latents.
        strengths: Strengths shown; 1 adds the full direction.
        images: Test images shown.
        limit: Images that the directions are computed from, at most.
        measured: Test images with, and as many without, an attribute that the effect is measured on; 0 skips it.
        video: Animation as a GIF or an MP4 (extra "video"); the MP4 where it can be written if not given.
    """
    if load and folders:
        raise ConfigError("give --load or --folders, not both: either defines the directions.")
    ending = animation.ending(video)
    context = open_context(target)
    labeled = _read_labeled(context, folders, load, limit)
    if load:
        directions = {"loaded": load_attributes(load, context.model.config.dims)}
    else:
        assert labeled is not None  # only with directions of a file there may be no attributes
        directions = _compute_directions(context, labeled, names, method, others=measured > 0)
    first = next(iter(directions.values()))
    names = _choose_names(names, first.names)
    if save or not load:
        first.save(context.out / "attributes.npz" if save is None else save)
    originals, labels, _ = context.arrays("test", images)
    labels = context.model_labels(labels)
    with progress_bar(len(names) * len(originals) * (len(strengths) + FRAMES), "moving images") as bar:
        z = batched.encode(context.model, originals, labels)
        for name in names:
            _draw(context, first, name, z, labels, strengths, ending, bar)
    all_positions = first.positions(z)
    positions = {name: all_positions[:, first.names.index(name)] for name in names}
    origin = f"directions of {load}" if load else f"directions by {method}"
    print(f"{context.source.name}, {context.weights_name}, {origin}")
    print("slider positions of the test images shown")
    header = ("attribute", *(f"image {i + 1}" for i in range(len(originals))))
    rows = [(name, *(f"{position:+.2f}" for position in column)) for name, column in positions.items()]
    print(format_table([header, *rows], indent="  "))
    values = {"slider_positions": positions, "strengths": strengths}
    if measured and labeled is not None and labeled.held_out is not None:
        values.update(_measure(context, directions, labeled, names, measured))
    print(f"pictures: {context.out / 'attribute_*.png'}, moving: {context.out / f'attribute_*{ending}'}")
    print(f"numbers:  {context.write_json('attributes.json', values)}")


def _read_labeled(
    context: EvaluationContext, folders: Sequence[str], load: str | None, limit: int
) -> TrainHeldOut | None:
    """Read images with attributes; None if the directions come from a file and the source has no attributes."""
    if folders:
        return read_folders(context, folders, limit)
    if load and not attribute_names(context.source):
        return None
    return read_splits(context, limit)


def _compute_directions(
    context: EvaluationContext, labeled: TrainHeldOut, names: Sequence[str], method: str, others: bool
) -> dict[str, Attributes]:
    """Compute the directions of each method, `method` first; the others, to be measured, only if `others`."""
    train = labeled.train
    _choose_names(names, train.names)
    with progress_bar(len(train.images), "encoding") as bar:
        z = batched.encode(context.model, train.images, train.labels, bar=bar)
    methods = [method]
    if others and labeled.held_out is not None:
        methods += [m for m in METHODS if m != method]
    return {m: METHODS[m](z, train.tags, train.names) for m in methods}


def _choose_names(names: Sequence[str], available: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names to show; raise a `ConfigError` for one that is not available."""
    for name in names:
        if name not in available:
            raise ConfigError(f"--names: expected some of {', '.join(available)}, got {name!r}.")
    return tuple(dict.fromkeys(names)) or available[:MAX_ATTRIBUTES_SHOWN]


def _draw(
    context: EvaluationContext,
    directions: Attributes,
    name: str,
    z: np.ndarray,
    labels: np.ndarray | None,
    strengths: Sequence[float],
    ending: str,
    bar: ProgressBar,
) -> None:
    """Draw a sheet of the images at each strength, and an animation from the least to the greatest."""
    all_strengths = [*strengths, *np.linspace(min(strengths), max(strengths), FRAMES)]
    moved = np.concatenate([directions.apply(z, {name: strength}) for strength in all_strengths])
    labels = None if labels is None else np.tile(labels, len(all_strengths))
    images = batched.decode(context.model, moved, labels, bar=bar)
    images = images.reshape(len(all_strengths), len(z), *context.model.image_shape)
    still, moving = images[: len(strengths)], images[len(strengths) :]
    path = context.out / f"attribute_{re.sub('[/ ]', '_', name)}"
    rows = [(f"{strength:+g}", row) for strength, row in zip(strengths, still, strict=True)]
    save_png(path.with_name(path.name + ".png"), sheet(rows, title=name))
    frames = np.stack([grid(enlarged(row), columns=len(row)) for row in moving])
    frames = np.concatenate([frames, frames[::-1]])
    animation.save_animation(path.with_name(path.name + ending), frames, seconds=SECONDS)


def _measure(
    context: EvaluationContext,
    directions: Mapping[str, Attributes],
    labeled: TrainHeldOut,
    names: Sequence[str],
    count: int,
) -> dict[str, Any]:
    """Measure and print how often a classifier detects each attribute before and after edits; return it for JSON."""
    train, held_out = labeled.train, labeled.held_out
    assert held_out is not None  # else nothing is measured
    classifier = SampleClassifier(train.images[:MAX_TRAINING_IMAGES], train.tags[:MAX_TRAINING_IMAGES])
    accuracies = balanced_accuracies(classifier, held_out)
    names = [name for name in names if name in accuracies]
    if not names:
        return {}
    with progress_bar(2 * count * len(names) * (1 + len(directions)), "classifying") as bar:
        rates = {
            name: detection_rates(context.model, classifier, held_out, directions, name, count=count, bar=bar)
            for name in names
        }
    accuracies = {name: accuracies[name] for name in names}
    mean = "mean" if "mean" not in names else "mean of all"  # an attribute may have that name
    accuracies[mean] = float(np.mean(list(accuracies.values())))
    rates[mean] = {key: float(np.mean([rates[name][key] for name in names])) for key in rates[names[0]]}
    rows = [("attribute", "classifier accuracy", *rates[mean])]
    rows += [(n, f"{accuracies[n]:.0%}", *(f"{rate:.0%}" for rate in rates[n].values())) for n in rates]
    print("share of test images, without and with the attribute, in which a classifier of real images detects it")
    print(format_table(rows, indent="  "))
    return {"classifier_accuracy": accuracies, "detection_rates": rates}
