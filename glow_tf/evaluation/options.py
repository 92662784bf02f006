"""Types of command-line options with their bounds, and the progress bar of the sub-commands."""

import dataclasses
import math
import pathlib
from typing import Annotated, Literal, Protocol

import tqdm

from glow_tf.fields import Between, check_fields, option_name

MAX_IMAGES = 10**9
MAX_SHOWN = 1000
"""Images in a row or a column of a sheet, at most."""
MAX_LABEL = 10**6

ImageCount = Annotated[int, Between(1, MAX_IMAGES)]
"""A number of images to read or to draw."""
ShownCount = Annotated[int, Between(1, MAX_SHOWN)]
"""A number of images to show."""
BatchSize = Annotated[int, Between(1, 100_000)]
DrawCount = Annotated[int, Between(1, 100_000)]
"""A number of draws of the dequantization noise."""
Temperature = Annotated[float, Between(0, 10)]


class Picture(Protocol):
    """A picture that can be written in several formats, such as a `glow_tf.pictures.Sheet`."""

    def save(self, path: pathlib.Path | str, scale: int = 1) -> None:
        """Write the picture as the ending of the path says."""


@dataclasses.dataclass(frozen=True)
class PictureOptions:
    """The options of the sub-commands that draw; their docstrings are the commands' help."""

    format: Literal["png", "pdf", "svg"] = "png"
    """Format of sheets and charts; animations have their own."""
    scale: Annotated[int, Between(1, 8)] = 1
    """Integer factor for the size of sheets, including their text, and for the pixels of a chart."""

    def __post_init__(self) -> None:
        check_fields(self, option_name)

    @property
    def ending(self) -> str:
        """Return the end of the names of sheets and charts, such as ".png", or "_scale_2.png" where they are larger."""
        return (f"_scale_{self.scale}" if self.scale != 1 else "") + f".{self.format}"

    def save(self, picture: Picture, folder: pathlib.Path, name: str) -> pathlib.Path:
        """Write a picture into a folder under a name without its ending; return the path."""
        path = folder / f"{name}{self.ending}"
        picture.save(path, self.scale)
        return path


DEFAULT_PICTURES = PictureOptions()


def progress_bar(total: int, description: str) -> tqdm.tqdm:
    """Return a progress bar over `total` images on standard error.

    The bar is cleared at the end. It is disabled where standard error is not a terminal.
    """
    return tqdm.tqdm(total=total, desc=description, unit=" images", leave=False, disable=None, dynamic_ncols=True)


def format_error(error: float) -> str:
    """Return a standard error as text; one draw, or one image, has none."""
    if not math.isfinite(error):
        return "unknown"
    return "<0.0001" if 0 < error < 5e-5 else f"{error:.4f}"
