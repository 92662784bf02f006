"""`interpolate`: images between pairs of images."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np

from glow_tf import animation, batched
from glow_tf.batched import ProgressBar
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation.context import EvaluationContext, TargetOptions, open_context, read_own_images
from glow_tf.evaluation.options import MAX_LABEL, MAX_SHOWN, ShownCount, progress_bar
from glow_tf.fields import Between, PathText, check_arguments
from glow_tf.interpolation import interpolate_latents
from glow_tf.model import Glow
from glow_tf.pictures import enlarged, grid, save_png, sheet
from glow_tf.tables import format_table
from glow_tf.types import Images

FRAMES_PER_PAIR = 24
"""Frames of the animation from one image to the next."""
SECONDS_PER_PAIR = 2.0
MAX_ANIMATION_COLUMNS = 5


class Pairs(NamedTuple):
    """Pairs of images to interpolate between.

    Args:
        first, second: uint8 `[n, H, W, C]`.
        labels: int `[n]`, the class of both images of each pair for a conditional model, else None.
        names: n descriptions.
    """

    first: np.ndarray
    second: np.ndarray
    labels: np.ndarray | None
    names: list[str]


@check_arguments
def interpolate(
    target: TargetOptions,
    *,
    images: tuple[PathText, ...] = (),
    pairs: ShownCount = 5,
    steps: Annotated[int, Between(2, MAX_SHOWN)] = 9,
    label: Annotated[int, Between(0, MAX_LABEL)] | None = None,
    video: Literal["gif", "mp4"] | None = None,
) -> None:
    """Interpolate between test images, or between your own files: a sheet and an animation, linear in the latents.

    Args:
        target: The model, its data, and where the results go.
        images: Your own image files, two or more; each is blended into the next.
        pairs: Pairs of test images.
        steps: Images of a strip, ends included.
        label: Class of your own files, for a conditional model, 0 if not given; two test images both take the class of
            the first.
        video: Animation as a GIF or an MP4 (extra "video"); the MP4 where it can be written if not given.
    """
    ending = animation.ending(video)
    context = open_context(target)
    model, classes = context.model, context.model.config.classes
    _check_label(label, classes, images)
    ends = _pairs_of_files(context, images, label or 0) if images else _pairs_of_test_images(context, pairs)
    count = len(ends.names)
    with progress_bar(count * (2 + 2 * steps + FRAMES_PER_PAIR), "interpolating") as bar:
        first, second = (batched.encode(model, end, ends.labels, bar=bar) for end in (ends.first, ends.second))
        strips = _interpolate_images(model, first, second, steps, ends.labels, bar)
        smooth = _interpolate_images(model, first, second, FRAMES_PER_PAIR, ends.labels, bar)
        labels = None if ends.labels is None else np.repeat(ends.labels, steps)
        bits = batched.bits_per_dim(model, np.concatenate(strips), labels, bar=bar).reshape(count, steps)
    sheet_path, animation_path = context.out / "interpolation.png", context.out / f"interpolation{ending}"
    save_png(sheet_path, sheet([(i + 1, strip) for i, strip in enumerate(strips)]))
    frames = np.concatenate(smooth) if images else _side_by_side(smooth)  # files form a chain
    seconds = SECONDS_PER_PAIR * len(frames) / FRAMES_PER_PAIR
    animation.save_animation(animation_path, np.concatenate([frames, frames[::-1]]), seconds=seconds)
    columns = (0, steps // 2, steps - 1)
    rows = [(name, *(f"{values[i]:.3f}" for i in columns)) for name, values in zip(ends.names, bits, strict=True)]
    print(format_table([("bits/dim", "first", "middle", "last"), *rows], indent="  "))
    print(f"strips:    {sheet_path}")
    print(f"animation: {animation_path}")
    values = {"strips": [{"images": n, "bits_per_dim": b} for n, b in zip(ends.names, bits, strict=True)]}
    print(f"numbers:   {context.write_json('interpolation.json', values)}")


def _check_label(label: int | None, classes: int, images: Sequence[str]) -> None:
    """Raise a `ConfigError` for a label that the model does not have, or that would be ignored."""
    if label is None:
        return
    if not classes:
        raise ConfigError("--label: the model is unconditional and takes no label; leave it out.")
    if label >= classes:
        raise ConfigError(f"--label: expected 0 to {classes - 1}, got {label}.")
    if not images:
        raise ConfigError("--label is the class of your own files, and test images have their own; give --images too.")


def _pairs_of_files(context: EvaluationContext, paths: Sequence[str], label: int) -> Pairs:
    """Pair each image file with the next."""
    if len(paths) < 2:
        raise ConfigError("--images: expected two files or more, got one.")
    images = read_own_images(paths, context.model.image_shape)
    names = [f"{a} - {b}" for a, b in itertools.pairwise(paths)]
    return Pairs(images[:-1], images[1:], context.model_labels(np.full(len(names), label)), names)


def _pairs_of_test_images(context: EvaluationContext, count: int) -> Pairs:
    """Pair the first `count` test images with the following ones."""
    images, labels, _ = context.arrays("test", 2 * count)
    count = len(images) // 2
    if not count:
        raise DataError(f"{context.source.name} has only one test image; interpolation needs two.")
    names = [f"test images {i} - {count + i}" for i in range(count)]
    return Pairs(images[:count], images[count : 2 * count], context.model_labels(labels[:count]), names)


def _interpolate_images(
    model: Glow, first: np.ndarray, second: np.ndarray, steps: int, labels: np.ndarray | None, bar: ProgressBar
) -> np.ndarray:
    """Decode images `[n, steps, H, W, C]` on the lines between flat latents `[n, D]`."""
    z = interpolate_latents([first], [second], np.linspace(0, 1, steps))[0].numpy()
    images = batched.decode(model, z, None if labels is None else np.repeat(labels, steps), bar=bar)
    return images.reshape(len(first), steps, *model.image_shape)


def _side_by_side(strips: np.ndarray) -> Images:
    """Lay out strips `[n, steps, H, W, C]` as `steps` frames, each of n images."""
    columns = min(MAX_ANIMATION_COLUMNS, len(strips))
    return np.stack([grid(enlarged(images), columns=columns) for images in np.swapaxes(strips, 0, 1)])
