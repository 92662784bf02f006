"""Pictures: grids and labeled sheets of images, animation frames, learning curves.

Images are uint8 `[n, H, W, C]`, C 1 (gray) or 3 (color); of other channels each is drawn in gray, side by side. Every
file is written atomically, as PNG, PDF or SVG.
"""

from glow_tf.pictures.curves import FIGURE_DPI, LEARNING_CURVES, learning_curve, save_figure
from glow_tf.pictures.images import BACKGROUND, MIN_TILE_SIDE, as_gray_or_color, enlarged, grid, png, rgb, save_png
from glow_tf.pictures.samples import (
    TEMPERATURES,
    describe_temperature,
    draw_by_temperature,
    draw_sample_sheet,
    sample_sheet,
    warning_if_not_drawn,
)
from glow_tf.pictures.sheets import Row, Sheet, frame, sheet

__all__ = [
    "BACKGROUND",
    "FIGURE_DPI",
    "LEARNING_CURVES",
    "MIN_TILE_SIDE",
    "TEMPERATURES",
    "Row",
    "Sheet",
    "as_gray_or_color",
    "describe_temperature",
    "draw_by_temperature",
    "draw_sample_sheet",
    "enlarged",
    "frame",
    "grid",
    "learning_curve",
    "png",
    "rgb",
    "sample_sheet",
    "save_figure",
    "save_png",
    "sheet",
    "warning_if_not_drawn",
]
