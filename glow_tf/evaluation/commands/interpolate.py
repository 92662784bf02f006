"""`interpolate`: images between pairs of images."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np

from glow_tf import animation, batched
from glow_tf.batched import ProgressBar
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.drawn_images import DrawnImages, black_remark, decode_images, describe_non_finite
from glow_tf.evaluation.examples import Examples, read_examples
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.options import DEFAULT_PICTURES, MAX_LABEL, MAX_SHOWN, PictureOptions, ShownCount, progress_bar
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.fields import Between, PathText, check_arguments
from glow_tf.interpolation import interpolate_latents
from glow_tf.model import Glow
from glow_tf.pictures import Sheet, frame
from glow_tf.tables import format_table
from glow_tf.types import Images

FRAMES_PER_PAIR = 24
"""Frames of the animation from one image to the next."""
SECONDS_PER_PAIR = 2.0
MAX_ANIMATED_PAIRS = 9
"""Pairs of test images side by side in the animation, at most."""


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
    pictures: PictureOptions = DEFAULT_PICTURES,
) -> None:
    """Interpolate between test images, or between your own files: a sheet and an animation, linear in the latents.

    Args:
        target: The model, its data, and where the results go.
        images: Your own image files, two or more; each is blended into the next.
        pairs: Pairs of test images, of different classes.
        steps: Images in a strip, ends included.
        label: Class of your own files, for a conditional model; 0 if not given. Both test images of a pair take the
            class of the first.
        video: Format of the animation, GIF or MP4 (extra "video"); if not given, MP4 where it can be written.
        pictures: Format and size of the sheet.
    """
    ending = animation.ending(video)
    if len(images) == 1:
        raise ConfigError("--images: expected two files or more, got one.")
    context = open_context(target)
    model = context.model
    examples = read_examples(context, 2 * pairs, images, label)
    ends = _pair(context, examples, is_chain=bool(images))
    count = len(ends.names)
    with progress_bar(count * (2 + 2 * steps + FRAMES_PER_PAIR), "interpolating") as bar:
        first, second = (batched.encode(model, end, ends.labels, bar=bar) for end in (ends.first, ends.second))
        decoded = _interpolate_images(model, first, second, steps, ends.labels, bar)
        smooth = _interpolate_images(model, first, second, FRAMES_PER_PAIR, ends.labels, bar)
        labels = None if ends.labels is None else np.repeat(ends.labels, steps)
        bits = batched.bits_per_dim(model, decoded.images, labels, bar=bar)
    bits = np.where(decoded.finite, bits, np.nan).reshape(count, steps)
    strips, smooth_strips = _as_strips(decoded.images, count), _as_strips(smooth.images, count)
    whose = "your own images" if images else "test images"
    name = f"interpolation{file_suffix(interpolate, pairs=pairs, steps=steps)}{examples.suffix}"
    between = [f"{weight:.0%}" for weight in np.linspace(0, 1, steps)[1:-1]]
    subtitle = (
        f"{context.caption}; both ends are real images, those between lie on a line of latents{black_remark(decoded)}"
    )
    drawing = Sheet(
        list(zip(ends.names, strips, strict=True)), f"Between {whose}", subtitle, ["image", *between, "image"]
    )
    sheet_path = pictures.save(drawing, context.out, name)
    animation_path = context.out / f"{name}{ending}"
    frames = _chain_frames(smooth_strips) if images else _side_by_side(smooth_strips)
    seconds = SECONDS_PER_PAIR * len(frames) / FRAMES_PER_PAIR
    animation.save_animation(animation_path, np.concatenate([frames, frames[::-1]]), seconds=seconds)
    columns = (0, steps // 2, steps - 1)
    rows = [(name, *(f"{values[i]:.3f}" for i in columns)) for name, values in zip(ends.names, bits, strict=True)]
    print(format_table([("bits/dim", "first", "middle", "last"), *rows], indent="  "))
    if decoded.non_finite:
        print(f"({describe_non_finite(decoded.non_finite, len(decoded.images), 'black', 'image')})")
    print(f"strips:    {sheet_path}")
    print(f"animation: {animation_path}")
    values = {"strips": [{"images": n, "bits_per_dim": b} for n, b in zip(ends.names, bits, strict=True)]}
    print(f"numbers:   {context.write_json(f'{name}.json', values)}")


def _pair(context: EvaluationContext, examples: Examples, is_chain: bool) -> Pairs:
    """Pair each image with the next, as a chain or two by two."""
    step = 1 if is_chain else 2
    images, names = examples.images, examples.names
    count = len(range(0, len(images) - 1, step))
    if not count:
        raise DataError(
            f"{context.source.name} has only one test image, and interpolation needs two; give your own by --images, "
            "or another --data."
        )
    first = slice(0, count * step, step)
    second = slice(1, count * step + 1, step)
    labels = None if examples.labels is None else examples.labels[first]
    pair_names = [f"{a} to {b}" for a, b in zip(names[first], names[second], strict=True)]
    return Pairs(images[first], images[second], labels, pair_names)


def _interpolate_images(
    model: Glow, first: np.ndarray, second: np.ndarray, steps: int, labels: np.ndarray | None, bar: ProgressBar
) -> DrawnImages:
    """Decode `n * steps` images on the lines between flat latents `[n, D]`, line after line."""
    z = interpolate_latents([first], [second], np.linspace(0, 1, steps))[0].numpy()
    return decode_images(model, z, None if labels is None else np.repeat(labels, steps), bar=bar)


def _as_strips(images: Images, count: int) -> np.ndarray:
    """Reshape images of `count` lines to `[count, steps, H, W, C]`."""
    return images.reshape(count, -1, *images.shape[1:])


def _side_by_side(strips: np.ndarray) -> Images:
    """Draw strips `[n, steps, H, W, C]` as `steps` frames, each of n images."""
    moments = np.swapaxes(strips[:MAX_ANIMATED_PAIRS], 0, 1)
    captions = _captions(len(moments))
    return np.stack([_frame(images, caption) for images, caption in zip(moments, captions, strict=True)])


def _chain_frames(strips: np.ndarray) -> Images:
    """Draw strips `[n, steps, H, W, C]` as n * steps frames, one after the other."""
    frames = []
    for i, strip in enumerate(strips):
        captions = [f"image {i + 1} to {i + 2}, {caption}" for caption in _captions(len(strip))]
        frames += [_frame(image[None], caption) for image, caption in zip(strip, captions, strict=True)]
    return np.stack(frames)


def _frame(images: Images, caption: str) -> np.ndarray:
    return frame(images, animation.MIN_SIDE, "Interpolation", caption)


def _captions(steps: int) -> Sequence[str]:
    return [f"{weight:.0%} of the way" for weight in np.linspace(0, 1, steps)]
