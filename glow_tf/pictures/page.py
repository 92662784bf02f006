"""A page of rasters and texts at given places, drawn by Pillow as pixels and by matplotlib as PDF or SVG.

Both use the font that comes with matplotlib, so a page has the same layout in every format. The same page gives the
same bytes: no format records the time.
"""

import functools
import io
import pathlib
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glow_tf.errors import ConfigError
from glow_tf.io import write_bytes
from glow_tf.pictures.images import BACKGROUND, png, rgb

FONT = "DejaVu Sans"
PIXELS_PER_INCH = 96
"""Pixels of a page in an inch of PDF or SVG, the size of CSS's pixel."""
VECTOR_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "glow_tf",
    "pdf.fonttype": 42,
    "font.family": FONT,
}
"""Settings of matplotlib: texts stay texts, fonts are embedded as TrueType, names in an SVG are no random numbers."""
NO_DATE: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
"""Metadata by format, without the time of writing."""

_ALIGNMENT = {"l": "left", "m": "center", "r": "right"}
_BASE = {"a": "top", "m": "center"}


class Text(NamedTuple):
    """A line of text.

    Args:
        x, y: place of the anchor, in pixels.
        text: the text, one line.
        size: size of the font, in pixels.
        anchor: Pillow's anchor: left, middle or right, then ascender or middle.
        color: name or hexadecimal RGB.
        bold: bold letters.
    """

    x: float
    y: float
    text: str
    size: int
    anchor: str = "la"
    color: str = "black"
    bold: bool = False


class Page(NamedTuple):
    """Rasters and texts on white.

    Args:
        width, height: size in pixels.
        rasters: places `(x, y)` of the upper left corner, and uint8 images `[h, w, 1 or 3]`.
        texts: the texts.
    """

    width: int
    height: int
    rasters: list[tuple[int, int, np.ndarray]]
    texts: list[Text]

    def to_array(self, scale: int = 1) -> np.ndarray:
        """Return the page as uint8 `[height * scale, width * scale, 3]`."""
        page = Image.new("RGB", (self.width * scale, self.height * scale), (BACKGROUND,) * 3)
        for x, y, raster in self.rasters:
            page.paste(Image.fromarray(rgb(raster.repeat(scale, axis=0).repeat(scale, axis=1))), (x * scale, y * scale))
        draw = ImageDraw.Draw(page)
        for t in self.texts:
            font = load_font(t.size * scale, t.bold)
            draw.text((t.x * scale, t.y * scale), t.text, fill=t.color, font=font, anchor=t.anchor)
        return np.asarray(page)

    def to_bytes(self, kind: str, scale: int = 1) -> bytes:
        """Return the page as the bytes of a file; `kind` is png, pdf or svg."""
        return png(self.to_array(scale)) if kind == "png" else self._to_vectors(kind, scale)

    def _to_vectors(self, kind: str, scale: int) -> bytes:
        import matplotlib
        from matplotlib.figure import Figure  # without pyplot: no global state, no display

        inch = PIXELS_PER_INCH / scale
        with matplotlib.rc_context(VECTOR_SETTINGS):
            figure = Figure(figsize=(self.width / inch, self.height / inch))
            axes = figure.add_axes((0, 0, 1, 1))
            for x, y, raster in self.rasters:
                extent = x, x + raster.shape[1], y + raster.shape[0], y
                axes.imshow(rgb(raster), extent=extent, interpolation="none")
            for t in self.texts:
                axes.text(
                    *(t.x, t.y, t.text),
                    fontsize=t.size * 72 / inch,
                    color=t.color,
                    fontweight="bold" if t.bold else "normal",
                    ha=_ALIGNMENT[t.anchor[0]],
                    va=_BASE[t.anchor[1]],
                    parse_math=False,
                )
            axes.set(xlim=(0, self.width), ylim=(self.height, 0), aspect="auto")
            axes.set_axis_off()
            data = io.BytesIO()
            figure.savefig(data, format=kind, metadata=NO_DATE[kind])
        return data.getvalue()


def write_page(path: pathlib.Path | str, page: Page, scale: int = 1) -> None:
    """Write a page; the ending of the path, `.png`, `.pdf` or `.svg`, decides the format.

    Raises:
        ConfigError: the path has another ending.
        RunError: the file cannot be written.
    """
    write_bytes(path, page.to_bytes(format_of(path, NO_DATE), scale))


def format_of(path: pathlib.Path | str, formats: Collection[str]) -> str:
    """Return the format of a file to write, which its ending names, such as `"png"`.

    Args:
        path: the file.
        formats: the formats to choose from.

    Raises:
        ConfigError: the ending names none of them.

    Example:
        >>> format_of("samples.PNG", ["pdf", "png"])
        'png'
    """
    kind = pathlib.Path(path).suffix.removeprefix(".").lower()
    if kind not in formats:
        raise ConfigError(f"{path}: expected a name that ends in {' or '.join(f'.{name}' for name in formats)}.")
    return kind


@functools.lru_cache(maxsize=32)
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font in a size in pixels."""
    import matplotlib

    name = f"DejaVuSans{'-Bold' if bold else ''}.ttf"
    return ImageFont.truetype(pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", name), size)


def text_width(text: str, size: int, bold: bool = False) -> float:
    """Return the width of a line of text in pixels."""
    return load_font(size, bold).getlength(text)


def wrapped(text: str, width: float, size: int, bold: bool = False) -> list[str]:
    """Break a text into lines of at most `width` pixels; a longer word is cut in its middle.

    Example:
        >>> wrapped("temperature 0.7", 90, 14)
        ['temperature', '0.7']
    """
    lines: list[str] = []
    for word in text.encode(errors="replace").decode().split():
        word = shortened(word, width, size, bold)
        if lines and text_width(f"{lines[-1]} {word}", size, bold) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def shortened(text: str, width: float, size: int, bold: bool = False) -> str:
    """Return a text with as much left out in its middle as keeps it within a width in pixels.

    Example:
        >>> shortened("holiday_in_norway.jpg", 64, 11)
        'holid…y.jpg'
    """
    kept = len(text)
    shown = text
    while kept > 2 and text_width(shown, size, bold) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[-(kept // 2) :]}"
    return shown
