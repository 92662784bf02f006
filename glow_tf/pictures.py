"""Pictures: grids and labelled sheets of images, learning curves.

Images are uint8 `[n, H, W, C]`, C 1 (grey) or 3 (colour). Every file is written beside its place and moved there.
"""

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glow_tf.runs import write_atomically

TEMPERATURES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The temperatures of a sheet, those of the original's sampling script (paper, figure 8)."""

BACKGROUND = 255
SHOWN_SIZE = 48
"""Smaller images are enlarged by a whole factor to at least this many pixels a side."""


def grid(images, columns=None, gap=2):
    """One image `[height, width, C]` of many, row by row; `columns` defaults to a square."""
    images = np.asarray(images)
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    page = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), BACKGROUND, np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        page[y : y + height, x : x + width] = image
    return page


def enlarged(images):
    """Small images enlarged by a whole factor, smoothly (bicubic), so that a person recognises what they show."""
    images = np.asarray(images)
    height, width, channels = images.shape[1:]
    factor = math.ceil(SHOWN_SIZE / min(height, width))
    if factor == 1:
        return images
    size = width * factor, height * factor
    pages = [
        [Image.fromarray(i[..., c]).resize(size, Image.Resampling.BICUBIC) for c in range(channels)] for i in images
    ]
    return np.stack([np.stack([np.asarray(page) for page in planes], -1) for planes in pages])


def sheet(rows, title=None):
    """Labelled rows of images as one RGB image.

    Args:
        rows: dictionary of row label -> images `[n, H, W, C]`; all of one H, W, C.
        title: one line above.
    """
    font = ImageFont.load_default(14)
    grids = {label: grid(enlarged(images), columns=len(images), gap=4) for label, images in rows.items()}
    left = 16 + math.ceil(max(font.getlength(str(label)) for label in grids))
    top = 28 if title else 4
    width = left + max(g.shape[1] for g in grids.values()) + 4
    if title:
        width = max(width, math.ceil(font.getlength(title)) + 12)
    height = top + sum(g.shape[0] + 4 for g in grids.values())
    page = Image.new("RGB", (width, height), (BACKGROUND,) * 3)
    draw = ImageDraw.Draw(page)
    if title:
        draw.text((6, 6), title, fill="black", font=font)
    for label, picture in grids.items():
        draw.text((6, top + picture.shape[0] / 2), str(label), fill="black", font=font, anchor="lm")
        page.paste(Image.fromarray(rgb(picture)), (left, top))
        top += picture.shape[0] + 4
    return np.asarray(page)


def rgb(image):
    """`[H, W, 1]` or `[H, W, 3]` as uint8 `[H, W, 3]`."""
    return np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.uint8)


def png(image):
    """uint8 `[H, W, C]` as the bytes of a PNG."""
    data = io.BytesIO()
    Image.fromarray(rgb(image)).save(data, format="PNG")
    return data.getvalue()


def save_png(path, image):
    """Writes uint8 `[H, W, C]` as a PNG."""
    write_atomically(path, lambda p: p.write_bytes(png(image)))


def sample_sheet(model, columns=10, temperatures=TEMPERATURES, seed=0):
    """Samples of a `Glow`, a row per temperature, the same latents in each column; conditional models: a class each."""
    labels = np.arange(columns) % model.config.classes if model.config.classes else None
    samples = {t: model.sample(columns, temperature=t, labels=labels, seed=seed).numpy() for t in temperatures}
    return sheet({f"{t:g}": images for t, images in samples.items()}, title="samples by temperature")


def learning_curve(path, rows):
    """Draws bits/dim against epoch from the rows of a metrics table."""
    from matplotlib.figure import Figure  # without pyplot: no global state, no display

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="bits/dim")
    curves = {
        "bits_x": "training",
        "val_bits_x": "validation",
        "val_bits_x_average": "validation, averaged weights",
    }
    late = []
    for key, label in curves.items():
        points = [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]
        if points:
            epochs, values = np.transpose(points)
            axes.plot(epochs, values, label=label, marker="o" if len(points) == 1 else None)
            late.extend(values[len(values) // 4 :])
    if late:  # the first epochs are far off and would hide the rest
        low, high = min(late), max(late)
        axes.set_ylim(low - 0.05 * (high - low) - 0.01, high + 0.5 * (high - low) + 0.05)
        axes.legend()
    axes.grid(alpha=0.3)
    save_figure(path, figure)


def save_figure(path, figure):
    """Writes a matplotlib figure as a PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomically(path, lambda p: p.write_bytes(data.getvalue()))
