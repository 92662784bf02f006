"""Sheets: labeled rows of images with a title, all enlarged alike."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glow_tf.pictures.images import as_gray_or_color, enlarged, grid
from glow_tf.pictures.page import Page, Text, shortened, text_width, wrapped, write_page
from glow_tf.types import Images

MARGIN = 10
"""Pixels around everything."""
TILE_GAP = 4
"""Pixels between images."""
LABEL_GAP = 10
"""Pixels between the longest label and the images."""
MAX_LABEL_WIDTH = 150
MIN_WIDTH = 380
"""Pixels that a sheet with a title is wide at least, lest the title be broken into many lines."""
TITLE_SIZE, SUBTITLE_SIZE, LABEL_SIZE, SMALL_SIZE = 15, 12, 13, 11
"""Sizes of the fonts in pixels; the small one is that of headings and captions."""
LINE_HEIGHT = 1.3
GRAY = "#595959"
"""Color of everything but the title and the labels of rows."""


class Row(NamedTuple):
    """A row of a sheet.

    Args:
        label: text to the left.
        images: uint8 `[n, H, W, C]`.
        captions: text below each image, or none.
    """

    label: object
    images: Images
    captions: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Sheet:
    """Labeled rows of images, of which the small ones are enlarged by one whole factor.

    Args:
        rows: a `Row` each, or a tuple of its fields; all images have one shape.
        title: text above, or "".
        subtitle: second text below the title, such as run, weights and seed.
        headings: text above each column, or none.

    Example:
        >>> sheet = Sheet([("temperature 0.7", np.zeros([2, 8, 8, 1], np.uint8))], title="Samples", subtitle="seed 0")
        >>> sheet.to_array().shape
        (124, 380, 3)
    """

    rows: Sequence[Row | tuple[object, Images]]
    title: str = ""
    subtitle: str = ""
    headings: Sequence[str] = ()

    def to_array(self, scale: int = 1) -> np.ndarray:
        """Return the sheet as uint8 `[height, width, 3]`."""
        return self.page().to_array(scale)

    def save(self, path: pathlib.Path | str, scale: int = 1) -> None:
        """Write the sheet as the ending of the path says: `.png`, `.pdf` or `.svg`.

        Raises:
            RunError: the file cannot be written.
        """
        write_page(path, self.page(), scale)

    def page(self) -> Page:
        """Lay out the sheet."""
        rows = [row if isinstance(row, Row) else Row(*row) for row in self.rows]
        tiles = [as_gray_or_color(enlarged(row.images)) for row in rows]
        tile_width = tiles[0].shape[2] + TILE_GAP
        labels = [wrapped(str(row.label), MAX_LABEL_WIDTH, LABEL_SIZE) for row in rows]
        label_width = max((text_width(line, LABEL_SIZE) for lines in labels for line in lines), default=0)
        left = MARGIN + (math.ceil(label_width) + LABEL_GAP if label_width else 0)
        width = max(left + max(map(len, tiles)) * tile_width - TILE_GAP + MARGIN, MIN_WIDTH if self.title else 0)
        texts, top = _head(self.title, self.subtitle, width)
        if self.headings:
            texts += _centered(self.headings, left, top, tile_width)
            top += _line(SMALL_SIZE)
        rasters = []
        for row, lines, row_tiles in zip(rows, labels, tiles, strict=True):
            height = row_tiles.shape[1]
            rasters.append((left, top, grid(row_tiles, columns=len(row_tiles), gap=TILE_GAP)))
            y = top + height / 2 - (len(lines) - 1) * _line(LABEL_SIZE) / 2
            texts += [Text(MARGIN, y + i * _line(LABEL_SIZE), line, LABEL_SIZE, "lm") for i, line in enumerate(lines)]
            top += height
            if row.captions:
                texts += _centered(row.captions, left, top + 2, tile_width)
                top += _line(SMALL_SIZE) + 2
            top += TILE_GAP
        return Page(width, top - TILE_GAP + MARGIN, rasters, texts)


def sheet(rows: Sequence[Row | tuple[object, Images]], title: str | None = None) -> np.ndarray:
    """Return a `Sheet` as one RGB image, uint8 `[height, width, 3]`.

    Args:
        rows: pairs of a label and images `[n, H, W, C]`, all of one H, W, C; labels may be empty or equal.
        title: text above the rows.

    Example:
        >>> page = sheet([("zeros", np.zeros([2, 8, 8, 1], np.uint8))], title="two images")
        >>> page.dtype, page.ndim
        (dtype('uint8'), 3)
    """
    return Sheet(rows, title or "").to_array()


def frame(images: Images, side: int, title: str, caption: str) -> np.ndarray:
    """Return images side by side below a title and a caption: up to five without a gap, more in about a square.

    Args:
        images: uint8 `[n, H, W, C]`.
        side: pixels that the shorter side of the images together has at least.
        title: text above.
        caption: one line below the title, such as a strength.

    Returns:
        uint8 `[height, width, 3]`, of one size for every caption that fits the width.

    Example:
        >>> frame(np.zeros([4, 8, 8, 1], np.uint8), 256, "Attribute: smiling", "strength +0.50").shape[1]
        280
    """
    columns = len(images) if len(images) in (2, 3, 5) else math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    raster = grid(enlarged(images, math.ceil(side / rows)), columns=columns, gap=TILE_GAP)
    width = raster.shape[1] + 2 * MARGIN
    texts, top = _head(title, "", width)
    texts.append(Text(MARGIN, top - TILE_GAP, caption, SUBTITLE_SIZE, color=GRAY))
    top += _line(SUBTITLE_SIZE)
    return Page(width, top + raster.shape[0] + MARGIN, [(MARGIN, top, raster)], texts).to_array()


def _line(size: int) -> int:
    """Return the height of a line of a font."""
    return math.ceil(LINE_HEIGHT * size)


def _head(title: str, subtitle: str, width: int) -> tuple[list[Text], int]:
    """Return the lines of the title and the subtitle, and the y of what comes below them."""
    texts, top = [], MARGIN
    for text, size, color, bold in ((title, TITLE_SIZE, "black", True), (subtitle, SUBTITLE_SIZE, GRAY, False)):
        for line in wrapped(text, width - 2 * MARGIN, size, bold):
            texts.append(Text(MARGIN, top, line, size, color=color, bold=bold))
            top += _line(size)
    return texts, top + (TILE_GAP if texts else 0)


def _centered(words: Sequence[str], left: int, top: float, tile_width: int) -> list[Text]:
    """Return a line of small text over or below each column."""
    middle = left + (tile_width - TILE_GAP) / 2
    words = [shortened(word, tile_width, SMALL_SIZE) for word in words]
    return [Text(middle + i * tile_width, top, word, SMALL_SIZE, "ma", GRAY) for i, word in enumerate(words)]
