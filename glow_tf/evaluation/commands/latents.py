"""`encode` and `interpolate`: latents as files, and images between images."""

import itertools
from typing import Literal

import numpy as np

from glow_tf import animation
from glow_tf.evaluation import batched
from glow_tf.evaluation.checks import EvaluationError, at_least
from glow_tf.evaluation.own_images import own_images
from glow_tf.evaluation.progress import progress
from glow_tf.evaluation.subject import Target, open_subject
from glow_tf.evaluation.tables import table
from glow_tf.interpolation import between
from glow_tf.pictures import enlarged, grid, save_png, sheet
from glow_tf.runs import save_array

FRAMES = 24
"""Frames of an animation from one image to the next."""


def encode(target: Target, split: Literal["train", "validation", "test"] = "test", limit: int | None = None):
    """Writes x.npy, uint8 images [n, H, W, C], and z.npy, their latents [n, D] in the original's order.

    Args:
        split: Which images.
        limit: Only the first so many images.
    """
    at_least(1, limit=limit)
    subject = open_subject(target)
    images, labels, _ = subject.arrays(split, limit)
    with progress(len(images), "encoding") as bar:
        z = batched.encode(subject.model, images, subject.labels(labels), bar)
    rows = [("file", "dtype", "shape")]
    for name, array in (("x.npy", images), ("z.npy", z)):
        save_array(subject.out / name, array)
        rows.append((str(subject.out / name), str(array.dtype), "x".join(map(str, array.shape))))
    print(table(rows))
    values = {"split": split, "images": len(images), "latent_shapes": [list(s) for s in subject.model.latent_shapes]}
    print(f"numbers: {subject.write_json('encode.json', values)}")


def interpolate(
    target: Target,
    images: tuple[str, ...] = (),
    pairs: int = 5,
    steps: int = 9,
    label: int = 0,
    video: Literal["gif", "mp4"] | None = None,
):
    """Between test images, or between your own files: a sheet and an animation, linear in the latents.

    Args:
        images: Your own image files, two or more; each is blended into the next.
        pairs: Pairs of test images.
        steps: Images of a strip, ends included.
        label: Class of your own files, for a conditional model; two test images both take the class of the first.
        video: Animation as a GIF or an MP4 (extra "video"); the MP4 where it can be written if none is given.
    """
    at_least(1, pairs=pairs)
    at_least(2, steps=steps)
    ending = animation.ending(video)
    subject = open_subject(target)
    model, classes = subject.model, subject.model.config.classes
    if classes and not 0 <= label < classes:
        raise EvaluationError(f"--label: expected 0 to {classes - 1}, got {label}.")
    if images:
        if len(images) < 2:
            raise EvaluationError("--images: expected two files or more, got one.")
        shown = own_images(images, model.image_shape)
        ends, labels = (shown[:-1], shown[1:]), np.full(len(shown) - 1, label)
        names = [f"{a} - {b}" for a, b in itertools.pairwise(images)]
    else:
        shown, labels, _ = subject.arrays("test", 2 * pairs)
        pairs = len(shown) // 2
        if not pairs:
            raise EvaluationError(f"{subject.source.name} has only one test image; interpolation needs two.")
        ends, labels = (shown[:pairs], shown[pairs : 2 * pairs]), labels[:pairs]
        names = [f"test images {i} - {pairs + i}" for i in range(pairs)]
    labels = subject.labels(labels)
    with progress(len(names) * (2 + 2 * steps + FRAMES), "interpolating") as bar:
        first, second = (batched.encode(model, end, labels, bar) for end in ends)
        strips = _between(model, first, second, steps, labels, bar)
        smooth = _between(model, first, second, FRAMES, labels, bar)
        repeated = None if labels is None else np.repeat(labels, steps)
        bits = batched.bits_per_dim(model, np.concatenate(strips), repeated, bar=bar).reshape(len(names), steps)
    save_png(subject.out / "interpolation.png", sheet({str(i + 1): strip for i, strip in enumerate(strips)}))
    if images:  # a chain: from file to file, and back
        frames = np.concatenate(smooth)
    else:
        frames = np.stack([grid(enlarged(frame), columns=min(5, len(names))) for frame in np.swapaxes(smooth, 0, 1)])
    film = subject.out / f"interpolation{ending}"
    animation.save_animation(film, np.concatenate([frames, frames[::-1]]), seconds=2.0 * len(frames) / FRAMES)
    places = (0, steps // 2, steps - 1)
    rows = [(name, *(f"{b[i]:.3f}" for i in places)) for name, b in zip(names, bits, strict=True)]
    print(table([("bits/dim", "first", "middle", "last"), *rows]))
    print(f"strips:    {subject.out / 'interpolation.png'}")
    print(f"animation: {film}")
    values = {"strips": [{"images": n, "bits_per_dim": b} for n, b in zip(names, bits, strict=True)]}
    print(f"numbers:   {subject.write_json('interpolation.json', values)}")


def _between(model, first, second, steps, labels, bar):
    """Images `[n, steps, H, W, C]` on the lines between latents `[n, D]`."""
    z = between([first], [second], np.linspace(0, 1, steps))[0]
    images = batched.decode(model, z, None if labels is None else np.repeat(labels, steps), bar)
    return images.reshape(len(first), steps, *model.image_shape)
