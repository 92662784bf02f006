"""Types of command-line options with their bounds, and the progress bar of the sub-commands."""

import math
from typing import Annotated

import tqdm

from glow_tf.fields import Between

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


def progress_bar(total: int, description: str) -> tqdm.tqdm:
    """Return a progress bar over `total` images on standard error.

    The bar is cleared at the end. It is disabled where standard error is not a terminal.
    """
    return tqdm.tqdm(total=total, desc=description, unit=" images", leave=False, disable=None, dynamic_ncols=True)


def format_error(error: float) -> str:
    """Return a standard error as text; one draw, or one image, has none."""
    return f"{error:.4f}" if math.isfinite(error) else "unknown"
