"""The table of a model: shapes, steps, parameters and multiply-adds by level."""

from glow_tf.tables import format_table

HEADER = ("level", "steps act on", "latent", "steps", "parameters", "multiply-adds / image")


def describe(model):
    """Return a table of a `Glow`, level by level, as text."""
    config = model.config
    rows, total = [HEADER], 0
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


def _step_cost(config, channels):
    """Return the multiply-adds of a flow step at one position."""
    outputs = channels if config.coupling == "affine" else channels // 2
    network = 9 * channels // 2 * config.width + config.width**2 + 9 * config.width * outputs
    return network + (channels**2 if config.permutation in ("1x1", "lu") else 0)


def _split_cost(channels):
    """Return the multiply-adds of a split's 3x3 convolution at one position."""
    return 9 * channels // 2 * channels
