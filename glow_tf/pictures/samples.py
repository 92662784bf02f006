"""The sheet of samples by temperature, which training draws too."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from glow_tf.model import Glow
from glow_tf.overshoot import decode_with_overshoot
from glow_tf.pictures.sheets import Sheet
from glow_tf.types import Images

TEMPERATURES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The temperatures of a sheet, those of the original's sampling script (paper, figure 8)."""


def describe_temperature(temperature: float) -> str:
    """Return the label of a row of samples.

    Example:
        >>> describe_temperature(0.7)
        'temperature 0.7'
    """
    return f"temperature {temperature:g}"


def describe_black(count: int) -> str:
    """Return what the subtitle of a sheet says of tiles whose images are not finite.

    Example:
        >>> describe_black(2)
        '2 black where the model overflows'
    """
    return f"{count} black where the model overflows"


def draw_by_temperature(images: Mapping[float, Images], subtitle: str = "") -> Sheet:
    """Return a `Sheet` with a row of samples for each temperature.

    Args:
        images: uint8 `[n, H, W, C]` by temperature.
        subtitle: run, weights and seed.
    """
    rows = [(describe_temperature(temperature), row) for temperature, row in images.items()]
    return Sheet(rows, "Samples by temperature", subtitle)


def draw_sample_sheet(
    model: Glow,
    columns: int = 10,
    temperatures: Sequence[float] = TEMPERATURES,
    seed: int = 0,
    subtitle: str = "",
) -> Sheet:
    """Return a `Sheet` of samples of a `Glow`, one row per temperature, the same latents in each column.

    Args:
        model: the model that draws the samples; each column is a class of a conditional one.
        columns: samples per row.
        temperatures: standard deviations of the latents.
        seed: seed of the latents; another one gives other samples.
        subtitle: run and weights, which the sheet names before the seed.
    """
    labels = np.arange(columns) % model.config.classes if model.config.classes else None
    images, non_finite = {}, 0
    for temperature in temperatures:
        decoded, excess = decode_with_overshoot(model, model.sample_latents(columns, temperature, seed=seed), labels)
        images[temperature] = decoded.numpy()
        non_finite += int(np.sum(~np.isfinite(excess)))
    remark = describe_black(non_finite) if non_finite else ""
    return draw_by_temperature(images, ", ".join(filter(None, (subtitle, f"seed {seed}", remark))))


def sample_sheet(
    model: Glow,
    columns: int = 10,
    temperatures: Sequence[float] = TEMPERATURES,
    seed: int = 0,
    subtitle: str = "",
) -> np.ndarray:
    """Return `draw_sample_sheet` as an image, uint8 `[height, width, 3]`.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
        >>> sample_sheet(glow, columns=2, temperatures=[0.7]).shape[-1]
        3
    """
    return draw_sample_sheet(model, columns, temperatures, seed, subtitle).to_array()


@contextlib.contextmanager
def warning_if_not_drawn(name: str) -> Iterator[None]:
    """Turn any error in this context into a warning: no picture ends a training."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        warnings.warn(f"{name} could not be drawn ({reason[0]}); the training is not affected.", stacklevel=3)
