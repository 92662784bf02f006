"""Pictures: grids and labeled sheets of images, learning curves.

Images are uint8 `[n, H, W, C]`, C 1 (gray) or 3 (color); of other channels each is drawn in gray, side by side. Every
file is written atomically.
"""

from __future__ import annotations

import contextlib
import io
import math
import pathlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glow_tf.io import write_bytes
from glow_tf.model import Glow
from glow_tf.types import Images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPERATURES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The temperatures of a sheet, those of the original's sampling script (paper, figure 8)."""

BACKGROUND = 255
"""Gray level around the images."""

MIN_DISPLAY_SIZE = 48
"""Smaller images are enlarged by an integer factor to at least this many pixels a side."""

FONT_SIZE = 14
SHEET_GAP = 4
"""Pixels between the images of a sheet, and below and to the right of each row."""
TEXT_MARGIN = 6
"""Pixels around the title of a sheet, and to the left of a row's label."""
LABEL_GAP = 10
"""Pixels between the longest label and the images."""
TITLE_HEIGHT = 28
"""Pixels above the first row of a sheet with a title."""

FIGURE_DPI = 120

LEARNING_CURVES = {
    "bits_x": "training",
    "val_bits_x": "validation",
    "val_bits_x_average": "validation, EMA weights",
}
"""Column of the metrics table -> its name in the legend."""


def grid(images: Images, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Return images row by row as one image `[height, width, C]`.

    Args:
        images: uint8 `[n, H, W, C]`.
        columns: images per row; None makes the grid about as many images high as wide.
        gap: pixels between images.

    Example:
        >>> grid(np.zeros([4, 8, 8, 1], np.uint8)).shape
        (18, 18, 1)
    """
    images = as_gray_or_color(np.asarray(images))
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    page = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), BACKGROUND, np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        page[y : y + height, x : x + width] = image
    return page


def enlarged(images: Images) -> Images:
    """Return small images enlarged by an integer factor, bicubically, so that a person recognizes the content."""
    images = np.asarray(images)
    height, width, channels = images.shape[1:]
    factor = math.ceil(MIN_DISPLAY_SIZE / min(height, width))
    if factor == 1:
        return images
    size = width * factor, height * factor
    # Pillow resizes an array of any one channel, so each channel is an image of its own.
    planes = [
        [Image.fromarray(i[..., c]).resize(size, Image.Resampling.BICUBIC) for c in range(channels)] for i in images
    ]
    return np.stack([np.stack([np.asarray(plane) for plane in image], -1) for image in planes])


def sheet(rows: Sequence[tuple[object, Images]], title: str | None = None) -> np.ndarray:
    """Return labeled rows of images as one RGB image.

    Args:
        rows: pairs of a label and images `[n, H, W, C]`, all of one H, W, C; labels may be empty or equal.
        title: line of text above the rows.

    Returns:
        uint8 `[height, width, 3]`.

    Example:
        >>> page = sheet([("zeros", np.zeros([2, 8, 8, 1], np.uint8))], title="two images")
        >>> page.dtype, page.ndim
        (dtype('uint8'), 3)
    """
    font = ImageFont.load_default(FONT_SIZE)
    labels = [str(label) for label, _ in rows]
    grids = [grid(enlarged(images), columns=len(images), gap=SHEET_GAP) for _, images in rows]
    left = TEXT_MARGIN + math.ceil(max(font.getlength(label) for label in labels)) + LABEL_GAP
    top = TITLE_HEIGHT if title else SHEET_GAP
    width = left + max(picture.shape[1] for picture in grids) + SHEET_GAP
    if title:
        width = max(width, math.ceil(font.getlength(title)) + 2 * TEXT_MARGIN)
    height = top + sum(picture.shape[0] + SHEET_GAP for picture in grids)
    page = Image.new("RGB", (width, height), (BACKGROUND,) * 3)
    draw = ImageDraw.Draw(page)
    if title:
        draw.text((TEXT_MARGIN, TEXT_MARGIN), title, fill="black", font=font)
    for label, picture in zip(labels, grids, strict=True):
        if label:
            draw.text((TEXT_MARGIN, top + picture.shape[0] / 2), label, fill="black", font=font, anchor="lm")
        page.paste(Image.fromarray(rgb(picture)), (left, top))
        top += picture.shape[0] + SHEET_GAP
    return np.asarray(page)


def as_gray_or_color(images: np.ndarray) -> np.ndarray:
    """Return images `[..., H, W, C]` with 1 or 3 channels; any others become gray images that lie side by side."""
    channels = images.shape[-1]
    return images if channels in (1, 3) else np.concatenate(np.split(images, channels, axis=-1), axis=-2)


def rgb(image: np.ndarray) -> np.ndarray:
    """Return an image `[H, W, C]` as uint8 `[H, W, 3]`, or wider (see `as_gray_or_color`)."""
    image = as_gray_or_color(np.asarray(image))
    return np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.uint8)


def png(image: np.ndarray) -> bytes:
    """Return a uint8 image `[H, W, C]` as the bytes of a PNG.

    Example:
        >>> png(np.zeros([8, 8, 1], np.uint8))[1:4]
        b'PNG'
    """
    data = io.BytesIO()
    Image.fromarray(rgb(image)).save(data, format="PNG")
    return data.getvalue()


def save_png(path: pathlib.Path | str, image: np.ndarray) -> None:
    """Write a uint8 image `[H, W, C]` as a PNG.

    Raises:
        RunError: the file cannot be written.
    """
    write_bytes(path, png(image))


@contextlib.contextmanager
def warning_if_not_drawn(name: str) -> Iterator[None]:
    """Turn any error in this context into a warning: no picture ends a training."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        warnings.warn(f"{name} could not be drawn ({reason[0]}); the training is not affected.", stacklevel=3)


def sample_sheet(
    model: Glow, columns: int = 10, temperatures: Sequence[float] = TEMPERATURES, seed: int = 0
) -> np.ndarray:
    """Return a sheet of samples of a `Glow`, one row per temperature, the same latents in each column.

    Args:
        model: the model that draws the samples; each column is a class of a conditional one.
        columns: samples per row.
        temperatures: standard deviations of the latents.
        seed: seed of the latents; another one gives other samples.

    Returns:
        uint8 `[height, width, 3]`.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
        >>> sample_sheet(glow, columns=2, temperatures=[0.7]).shape[-1]
        3
    """
    labels = np.arange(columns) % model.config.classes if model.config.classes else None
    rows = [(f"{t:g}", model.sample(columns, temperature=t, labels=labels, seed=seed).numpy()) for t in temperatures]
    return sheet(rows, title="samples by temperature")


def learning_curve(path: pathlib.Path | str, rows: Sequence[Mapping[str, float | None]]) -> None:
    """Draw bits/dim against epochs, of training and of validation, and write the figure as a PNG.

    Args:
        path: file to write.
        rows: rows of a `MetricsTable`; a missing or None value is left out of its curve.
    """
    from matplotlib.figure import Figure  # without pyplot: no global state, no display

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="bits/dim")
    late_values = []
    for column, name in LEARNING_CURVES.items():
        points = [(row["epoch"], row[column]) for row in rows if row.get(column) is not None]
        if points:
            epochs, values = np.array(points, float).T
            axes.plot(epochs, values, label=name, marker="o" if len(points) == 1 else None)
            late_values.extend(values[len(values) // 4 :])
    if late_values:  # the first epochs are far off and would hide the rest
        low, high = min(late_values), max(late_values)
        axes.set_ylim(low - 0.05 * (high - low) - 0.01, high + 0.5 * (high - low) + 0.05)
        axes.legend()
    axes.grid(alpha=0.3)
    save_figure(path, figure)


def save_figure(path: pathlib.Path | str, figure: Figure) -> None:
    """Write a matplotlib figure as a PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=FIGURE_DPI)
    write_bytes(path, data.getvalue())
