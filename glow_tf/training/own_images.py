"""An experiment for a source of images that no preset is for: size, color and bits as the images have them."""

import dataclasses
import math
import pathlib
import re
import statistics
from typing import NamedTuple

import numpy as np

from glow_tf import presets
from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig
from glow_tf.counts import counted
from glow_tf.data import open_source
from glow_tf.data.splits import spread_positions
from glow_tf.errors import DataError
from glow_tf.types import ImageShape

SIZES = (32, 64, 128)
"""Heights and widths to choose from."""
LOOKED_AT = 64
"""Images that the choice is made from."""
MAX_BITS = 5
"""The paper's bits for pictures: at 8 a small model spends itself on the noise of the lowest three."""
FEW_IMAGES = 2_000
"""Images below which more of them are held out for validation."""
STEPS = 3_000
"""Steps of a training, about."""


class Look(NamedTuple):
    """The properties of a part of the images of a source.

    Args:
        total: number of images of all splits.
        damaged: number of those that were looked at and cannot be read.
        shapes: shapes `(h, w, c)` of the others that were looked at.
        colored: number of those with color.
        bits: the fewest bits that hold the values of all of them.
    """

    total: int
    damaged: int
    shapes: list[tuple[int, ...]]
    colored: int
    bits: int

    def describe(self) -> str:
        """Return how many images were read, such as "64 of 1,000 images"."""
        unread = f" ({self.damaged} more cannot be read)" if self.damaged else ""
        return f"{len(self.shapes)} of {counted(self.total, 'image')}{unread}"


def choose_experiment(source_name: str, image_shape: ImageShape | None = None) -> tuple[Experiment, str]:
    """Choose an experiment that trains on a source.

    Args:
        source_name: as in `DataConfig.source`.
        image_shape: `(H, W, C)` of the model, or None to choose it by the images.

    Returns:
        `(experiment, reasons)`, reasons a text of several lines.

    Raises:
        DataError: the source cannot be used.
        ConfigError: `source_name` names none.

    Example:
        >>> choose_experiment("bundled:faces")[0].name
        'faces'
    """
    for experiment in presets.PRESETS.values():
        if source_name.startswith("bundled:") and experiment.data.source == source_name and image_shape is None:
            return experiment, f"{source_name}: no --preset is given, so {experiment.name} is taken, which is for it."
    look = look_at(source_name, image_shape)
    default = presets.get(presets.DEFAULT)
    sizes = {shape[:2] for shape in look.shapes}
    if image_shape is None and not look.colored and sizes == {default.model.image_shape[:2]}:
        return _as_default(default, source_name, look)
    reasons = [f"{source_name}: no --preset is given, so {look.describe()} decide:"]
    if image_shape is None:
        image_shape, reason = _image_shape(look)
        reasons.append(f"  {reason}; --image-shape H W C sets another")
    # Resizing makes new values, as does the luminance of colors.
    is_lossless = sizes == {image_shape[:2]} and look.bits <= MAX_BITS and not (look.colored and image_shape[2] == 1)
    bits = look.bits if is_lossless else MAX_BITS
    reason = (
        "enough for all their values" if is_lossless else "the paper's for pictures; --bits 8 keeps the finest tones"
    )
    reasons.append(f"  {counted(bits, 'bit')}, {reason}")
    experiment = Experiment(
        model=_model(image_shape, bits),
        data=DataConfig(source=source_name, fit="resize", validation=0.1 if look.total < FEW_IMAGES else 0.05),
        training=_training(image_shape, look.total),
        name=run_name(source_name),
        about=f"{'x'.join(map(str, image_shape))} at {counted(bits, 'bit')}, chosen by the images",
        sample_every=5,
    )
    return experiment, "\n".join(reasons)


def run_name(source_name: str) -> str:
    """Return the name of the experiment, and so of the run folder, for a source: `folder_cats` for `folder:my/cats`."""
    kind, _, where = source_name.partition(":")
    path = pathlib.Path(where).expanduser()
    name = path.resolve().name if kind == "folder" else path.stem
    return f"{kind}_{re.sub('[^A-Za-z0-9-]+', '_', name).strip('_') or 'images'}"


def look_at(source_name: str, image_shape: ImageShape | None = None) -> Look:
    """Look at `LOOKED_AT` images of a source, spread evenly over all splits."""
    config = DataConfig(source=source_name, fit="resize")
    # Of several sizes of one data set the largest that a model may get is read.
    source = open_source(config, image_shape or (max(SIZES), max(SIZES), 3))
    rows = np.unique(np.concatenate(list(source.rows.values())))
    damaged, shapes, colored, used_bits = 0, [], 0, 0
    for row in rows[spread_positions(len(rows), LOOKED_AT)]:
        image = source.image(row)  # without TensorFlow, whose devices are not set up yet
        if image is None:
            damaged += 1
            continue
        shapes.append(image.shape)
        colored += image.shape[2] >= 3 and bool((image[..., :3] != image[..., :1]).any())
        used_bits |= int(np.bitwise_or.reduce(image, axis=None))
    if not shapes:
        raise DataError(f"{source_name}: none of the images that were looked at can be read.")
    lowest = (used_bits & -used_bits).bit_length() if used_bits else 8  # 1 for the bit of odd values
    return Look(len(rows), damaged, shapes, colored, 9 - lowest)


def _as_default(default: Experiment, source_name: str, look: Look) -> tuple[Experiment, str]:
    """Return the default preset's experiment on other images of its size, with more bits if they need more."""
    bits = max(look.bits, default.model.bits)
    experiment = dataclasses.replace(
        default,
        model=dataclasses.replace(default.model, bits=bits),
        data=DataConfig(source=source_name),
        name=run_name(source_name),
        about=f"as the preset {default.name}, on other images",
    )
    reason = (
        f"{source_name}: no --preset is given, and its images have the size of those of {default.name}; {bits} bits "
        f"hold all values of the {look.describe()} that were looked at."
    )
    return experiment, reason


def _image_shape(look: Look) -> tuple[ImageShape, str]:
    """Return `(image_shape, reason)`: the size that is nearest by ratio, and color if any image has it."""
    side = statistics.median(min(shape[:2]) for shape in look.shapes)
    size = min(SIZES, key=lambda s: abs(math.log(s / side)))
    color = f"in color, which {look.colored} have" if look.colored else "gray, as none has color"
    sizes = ", ".join(map(str, SIZES[:-1])) + f" and {SIZES[-1]}"
    reason = f"{size}x{size} pixels, of {sizes} the nearest to their shorter side (median {side:g}); {color}"
    return (size, size, 3 if look.colored else 1), reason


def _model(image_shape: ImageShape, bits: int) -> ModelConfig:
    """Return a small model; the coarsest level has about 4x4 pixels, as the paper's models have."""
    levels = max(1, int(math.log2(min(image_shape[:2]))) - 2)
    while levels > 1 and any(side % 2**levels for side in image_shape[:2]):
        levels -= 1
    return ModelConfig(image_shape=image_shape, bits=bits, levels=levels, depth=8, width=96, coupling="additive")


def _training(image_shape: ImageShape, images: int) -> TrainingConfig:
    pixels = image_shape[0] * image_shape[1]
    batch_size = 64 if pixels <= 32**2 else 32 if pixels <= 64**2 else 16
    epoch_steps = min(max(images // batch_size, 20), 300)  # about one pass over the images
    return TrainingConfig(
        batch_size=batch_size,
        beta2=0.99,
        epoch_steps=epoch_steps,
        warmup_steps=200,
        schedule="cosine",
        epochs=round(STEPS / epoch_steps),
        init_images=batch_size,
    )
