"""Architecture of a Glow, inferred from the original names and shapes of its variables."""

import itertools
from collections.abc import Mapping
from typing import Literal, TypeAlias

from glow_tf.config import ModelConfig
from glow_tf.counts import counted
from glow_tf.errors import ConversionError

SQUEEZE_FACTOR = 4
"""Channels after the first squeeze per channel of the image."""

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Shapes by original name."""
Permutation: TypeAlias = Literal["1x1", "lu", "shuffle", "reverse"]
"""The permutations of `ModelConfig.permutation`."""


def infer_config(shapes: Shapes, *, bits: int, image_size: tuple[int, int], weight_y: float = 0.01) -> ModelConfig:
    """Return the `ModelConfig` of a model of the original code.

    Bits and image size cannot be inferred: all weights but the classifier's are convolutions.

    Args:
        shapes: the shapes of the variables.
        bits: bits per channel.
        image_size: `(H, W)` of the images in pixels.
        weight_y: weight of the classifier's loss, used if there is a classifier.

    Raises:
        ConversionError: the names and shapes are not those of the public model.
        ConfigError: the image size does not fit the number of levels.
    """
    channels = _size(shapes, "model/0/0/actnorm_center/b")
    if channels % SQUEEZE_FACTOR:
        raise ConversionError(
            f"model/0/0/actnorm_center/b: expected a multiple of {SQUEEZE_FACTOR} channels, got {channels}."
        )
    if "model/classifier/W" in shapes and not weight_y:
        raise ConversionError("weight_y: expected more than 0, since the checkpoint has a classifier, got 0.")
    classes = _size(shapes, "model/prior/y_emb/W", axis=0) if "model/prior/y_emb/W" in shapes else 0
    return ModelConfig(
        image_shape=(*image_size, channels // SQUEEZE_FACTOR),
        bits=bits,
        levels=_count(shapes, "model/{}/0/actnorm_center/b"),
        depth=_count(shapes, "model/0/{}/actnorm_center/b"),
        width=_size(shapes, "model/0/0/f1/l_1/W"),
        permutation=_permutation(shapes),
        coupling=_coupling(_size(shapes, "model/0/0/f1/l_last/W"), channels),
        learn_top="model/prior/p/W" in shapes,
        classes=classes,
        weight_y=weight_y if "model/classifier/W" in shapes else 0.0,
    )


def _count(shapes: Shapes, pattern: str) -> int:
    """Count the consecutive numbers from 0 for which the pattern is a name; names beyond a gap are reported later."""
    return next(i for i in itertools.count() if pattern.format(i) not in shapes)


def _size(shapes: Shapes, name: str, axis: int = -1) -> int:
    if not shapes.get(name):
        raise ConversionError(f"there is no weight {name}, so this is not a model of the original code.")
    return shapes[name][axis]


def _permutation(shapes: Shapes) -> Permutation:
    kinds: dict[str, Permutation] = {"invconv/W": "1x1", "invconv/L": "lu", "shuffle/indices": "shuffle"}
    for name, kind in kinds.items():
        if f"model/0/0/{name}" in shapes:
            return kind
    return "reverse"


def _coupling(outputs: int, channels: int) -> Literal["affine", "additive"]:
    kinds: dict[int, Literal["affine", "additive"]] = {channels: "affine", channels // 2: "additive"}
    if outputs not in kinds:
        raise ConversionError(
            f"model/0/0/f1/l_last/W: expected {counted(channels, 'output')} (affine) or {channels // 2} (additive), "
            f"got {outputs}."
        )
    return kinds[outputs]
