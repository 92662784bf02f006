"""The table of a model: shapes, steps, parameters and multiply-adds by level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glow_tf.tables import format_table

if TYPE_CHECKING:
    from glow_tf.config import ModelConfig
    from glow_tf.model import Glow
HEADER = ("level", "steps act on", "latent", "steps", "parameters", "multiply-adds / image")


def describe(model: Glow) -> str:
    """Return a table of a model, level by level, as text.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> print(describe(Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))))
        level  steps act on  latent  steps              parameters  multiply-adds / image
        0      4x4x4         4x4x4   1 x (1x1, affine)  1,016       3,968
        total                                           1,016       3,968
    """
    config = model.config
    rows: list[tuple[object, ...]] = [HEADER]
    total = 0
    for level in range(config.levels):
        steps, split = model.flow.steps(level), model.flow.split(level)
        height, width, channels = steps[0].event_shape
        layers = [*steps, split or model.flow.prior]
        multiply_adds = (
            height * width * (config.depth * _step_cost(config, channels) + (split is not None) * _split_cost(channels))
        )
        total += multiply_adds
        rows.append(
            (
                level,
                f"{height}x{width}x{channels}",
                "x".join(map(str, model.latent_shapes[level])),
                f"{config.depth} x ({config.permutation}, {config.coupling})",
                f"{sum(layer.count_params() for layer in layers):,}",
                f"{multiply_adds:,}",
            )
        )
    if model.classifier is not None:
        rows.append(("classifier", "", "", "", f"{model.classifier.count_params():,}", ""))
    rows.append(("total", "", "", "", f"{model.count_params():,}", f"{total:,}"))
    return format_table(rows)


def _step_cost(config: ModelConfig, channels: int) -> int:
    """Return the multiply-adds of a flow step at one position."""
    outputs = channels if config.coupling == "affine" else channels // 2
    network = 9 * channels // 2 * config.width + config.width**2 + 9 * config.width * outputs
    return network + (channels**2 if config.permutation in ("1x1", "lu") else 0)


def _split_cost(channels: int) -> int:
    """Return the multiply-adds of a split's 3x3 convolution at one position."""
    return 9 * channels // 2 * channels
