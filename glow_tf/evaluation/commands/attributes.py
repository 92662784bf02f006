"""`attributes`: directions in latent space from labels or attributes, applied to test images, and measured."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from glow_tf import animation, batched
from glow_tf.attributes import METHODS, Attributes, load_attributes
from glow_tf.batched import ProgressBar
from glow_tf.edits import decode_edits
from glow_tf.errors import ConfigError, DataError, did_you_mean
from glow_tf.evaluation.attribute_measurement import AttributeImages
from glow_tf.evaluation.attribute_report import start_measurement, write_report
from glow_tf.evaluation.attribute_strips import reduced_remark
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.examples import Examples, read_examples
from glow_tf.evaluation.file_names import file_suffix, file_word, shortened
from glow_tf.evaluation.labeled_images import TrainHeldOut, attribute_names, read_folders, read_splits, read_validation
from glow_tf.evaluation.options import DEFAULT_PICTURES, MAX_IMAGES, MAX_LABEL, PictureOptions, ShownCount, progress_bar
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.fields import Between, NotEmpty, PathText, check_arguments
from glow_tf.model_files import warn_of_other_weights
from glow_tf.pictures import Sheet, frame
from glow_tf.tables import format_table
from glow_tf.types import Images

MAX_ATTRIBUTES_SHOWN = 10
"""Attributes shown if none are named."""
MAX_ATTRIBUTES_MEASURED = 40
"""Attributes measured if none are named: all of CelebA's."""
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
    calibrate: bool = True,
    strengths: Annotated[tuple[Strength, ...], NotEmpty()] = (-1.0, -0.5, 0.0, 0.5, 1.0),
    images: tuple[PathText, ...] = (),
    label: Annotated[int, Between(0, MAX_LABEL)] | None = None,
    shown: ShownCount = 4,
    limit: Annotated[int, Between(2, MAX_IMAGES)] = 2000,
    measured: Annotated[int, Between(0, MAX_IMAGES)] = 50,
    sampled: Annotated[int, Between(0, MAX_IMAGES)] = 1000,
    video: Literal["gif", "mp4"] | None = None,
    pictures: PictureOptions = DEFAULT_PICTURES,
) -> None:
    """Compute attribute directions from labels or attributes, apply them to images, and measure their effect.

    A classifier trained on real training images detects the attributes in images that are moved along the directions.
    On validation images it chooses the length of each direction, so that strength 1 shows the attribute and changes
    little else. Then it measures the directions of each method on test images, and the shares of attributes in samples
    at temperature 1.

    Args:
        target: The model, its data, and where the results go.
        names: Attributes to show, calibrate and measure: classes or attributes of the source; if not given, the first
            ten are shown, and the first forty calibrated and measured.
        folders: Two folders of your own: images with an attribute, and images without.
        load: Directions saved earlier (.npz), or the original code's z_manipulate.npy.
        save: File (.npz) to save the directions in; if not given, computed directions are saved in attributes.npz next
            to the pictures.
        method: Method used for the pictures and the file: the original code's difference of means, or logistic
            regression on latents.
        calibrate: Choose the length of each direction on validation images, if there are any; otherwise lengths are
            those of the original code, 1.6 times the distance between the means. Directions from a file or of folders
            stay as they are.
        strengths: Strengths shown; 1 adds the full direction.
        images: Your own image files to edit, instead of test images.
        label: Class of your own files, for a conditional model; 0 if not given.
        shown: Number of test images shown, of all classes.
        limit: Greatest number of images from which the directions are computed.
        measured: Number of test images with each attribute, and of test images without it, on which the effect is
            measured; 0 skips all measurements.
        sampled: Number of samples in which the shares of attributes are measured; 0 skips this.
        video: Format of the animation, GIF or MP4 (extra "video"); if not given, MP4 where it can be written.
        pictures: Format and size of the sheets.
    """
    if load and folders:
        raise ConfigError("give --load or --folders, not both: either defines the directions.")
    ending = animation.ending(video)
    context = open_context(target)
    examples = read_examples(context, shown, images, label)  # before the long computation: a file may be unreadable
    labeled = _read_labeled(context, folders, load, limit)
    if load:
        directions = {"loaded": load_attributes(load, context.model.config.dims)}
        warn_of_other_weights(load, context.path)
    else:
        assert labeled is not None  # only with directions of a file there may be no attributes
        directions = _compute_directions(context, labeled, names, method, others=measured > 0)
    available = next(iter(directions.values())).names
    measured_names = _choose_names(names, available, MAX_ATTRIBUTES_MEASURED)
    validation = read_validation(context, limit) if calibrate and not load and not folders else None
    counts, measurement = (measured, 0 if folders else sampled), None
    if labeled is not None and labeled.held_out is not None and (measured or validation is not None):
        real = AttributeImages(labeled.train, validation, labeled.held_out)
        measurement = start_measurement(context, real, measured_names, len(directions), counts)
    origin = f"directions of {load}" if load else f"directions by {method}"
    variant = file_suffix(attributes, folders=folders, load=load, method=method, calibrate=calibrate, limit=limit)
    chosen = shortened(file_suffix(attributes, names=names, measured=measured, sampled=sampled))
    saved_variant = variant
    if measurement is not None and measurement.calibrated_names:
        with progress_bar(measurement.images_to_calibrate(len(directions)), "calibrating") as bar:
            directions = measurement.calibrate(directions, bar)
        kept = [name for name in measured_names if name not in measurement.calibrated_names]
        origin += ", calibrated" + (f", except for {', '.join(kept)}" if kept else "")
        saved_variant += file_suffix(attributes, names=names)  # the lengths of the others are not chosen
    first = next(iter(directions.values()))
    names = _choose_names(names, available)
    if save or not load:
        first.save(context.out / f"attributes{shortened(saved_variant)}.npz" if save is None else save)
    variant = shortened(variant + file_suffix(attributes, strengths=strengths, shown=shown) + examples.suffix)
    with progress_bar(len(names) * len(examples.images) * (len(strengths) + FRAMES), "moving images") as bar:
        z = batched.encode(context.model, examples.images, examples.labels)
        for name in names:
            sheet, frames = _draw(context, first, name, z, examples, strengths, origin, bar)
            file_name = f"attribute_{file_word(name)}{variant}"
            pictures.save(sheet, context.out, file_name)
            animation.save_animation(context.out / f"{file_name}{ending}", frames, seconds=SECONDS)
    all_positions = first.positions(z)
    positions = {name: all_positions[:, first.names.index(name)] for name in names}
    print(f"{context.source.name}, {context.weights_name}, {origin}")
    print("slider positions of the images shown")
    header = ("attribute", *examples.names)
    rows = [(name, *(f"{position:+.2f}" for position in column)) for name, column in positions.items()]
    print(format_table([header, *rows], indent="  "))
    lengths = dict(zip(first.names, np.linalg.norm(first.directions, axis=1), strict=True))
    values = {"slider_positions": positions, "strengths": strengths, "direction_lengths": lengths}
    if measured and measurement is not None:
        file_name = f"attributes{variant}{chosen}"
        lines, numbers = write_report(context, measurement, directions, counts, origin, pictures, file_name)
        for line in lines:
            print(line)
        values.update(numbers)
    paths = [context.out / f"attribute_*{variant}{kind}" for kind in (pictures.ending, ending)]
    print(f"pictures: {paths[0]}, moving: {paths[1]}")
    print(f"numbers:  {context.write_json(f'attributes{variant}{chosen}.json', values)}")


def _read_labeled(
    context: EvaluationContext, folders: Sequence[str], load: str | None, limit: int
) -> TrainHeldOut | None:
    """Read images with attributes; return None if the directions come from a file and the source has no attributes."""
    if folders:
        return read_folders(context, folders, limit)
    if attribute_names(context.source):
        return read_splits(context, limit)
    if load:
        return None
    raise DataError(f"{context.source.name} has neither labels nor attributes; give --folders WITH WITHOUT, or --load.")


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


def _choose_names(
    names: Sequence[str], available: tuple[str, ...], count: int = MAX_ATTRIBUTES_SHOWN
) -> tuple[str, ...]:
    """Return the names, or the first `count` if there are none; raise a `ConfigError` for one that is not available."""
    for name in names:
        if name not in available:
            hint = did_you_mean(name, available)
            raise ConfigError(f"--names: expected some of {', '.join(available)}, got {name!r}.{hint}")
    return tuple(dict.fromkeys(names)) or available[:count]


def _draw(
    context: EvaluationContext,
    directions: Attributes,
    name: str,
    z: np.ndarray,
    examples: Examples,
    strengths: Sequence[float],
    origin: str,
    bar: ProgressBar,
) -> tuple[Sheet, Images]:
    """Draw a sheet of the images at each strength, and frames from the least strength to the greatest and back."""
    smooth = np.linspace(min(strengths), max(strengths), FRAMES)
    all_strengths = [*strengths, *smooth]
    moved = np.concatenate([directions.apply(z, {name: strength}) for strength in all_strengths])
    labels = None if examples.labels is None else np.tile(examples.labels, len(all_strengths))
    edits = decode_edits(context.model, np.tile(z, (len(all_strengths), 1)), moved, labels, bar=bar)
    images = edits.images.reshape(len(all_strengths), len(z), *context.model.image_shape)
    reduced = (edits.shares < 1).reshape(len(all_strengths), len(z))
    still, moving = images[: len(strengths)], images[len(strengths) :]
    origin += reduced_remark(reduced[: len(strengths)])
    sheet = draw_strengths(name, np.swapaxes(still, 0, 1), examples.names, strengths, f"{context.caption}; {origin}")
    captions = [
        f"strength {strength:+.2f}{', in part reduced' if any_reduced else ''}"
        for strength, any_reduced in zip(smooth, np.any(reduced[len(strengths) :], axis=1).tolist(), strict=True)
    ]
    frames = [frame(row, animation.MIN_SIDE, sheet.title, text) for row, text in zip(moving, captions, strict=True)]
    return sheet, np.stack(frames + frames[::-1])


def draw_strengths(
    name: str, images: np.ndarray, labels: Sequence[str], strengths: Sequence[float], origin: str
) -> Sheet:
    """Draw images at each strength of an attribute, a row each.

    Args:
        name: name of the attribute.
        images: uint8 `[n, len(strengths), H, W, C]`.
        labels: n descriptions of the images.
        strengths: the strengths.
        origin: run, weights, and how the direction was computed.
    """
    headings = [f"{strength:+g}" if strength else "image" for strength in strengths]
    rows = list(zip(labels, images, strict=True))
    return Sheet(rows, f"Attribute: {name}", f"{origin}; the numbers are strengths", headings)
