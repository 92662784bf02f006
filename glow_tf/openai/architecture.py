"""What a Glow is made of, read off the names and shapes of the original's variables."""

import itertools

from glow_tf.config import ModelConfig
from glow_tf.openai.errors import OpenaiError

SQUEEZE = 4
"""Channels after the first squeeze per channel of the image."""


def infer_config(shapes, *, bits, image_size, weight_y=0.01):
    """The `ModelConfig` of the original's variables.

    Args:
        shapes: `{name: shape}`.
        bits: bits per channel, which no variable tells.
        image_size: `(H, W)`, which no variable tells: all weights but the classifier's are convolutions.
        weight_y: weight of the classifier's loss, used where there is a classifier.

    Raises:
        OpenaiError: they are no variables of the public model.
        ConfigError: the image size does not fit the number of levels.
    """
    channels = _size(shapes, "model/0/0/actnorm_center/b")
    if channels % SQUEEZE:
        raise OpenaiError(f"model/0/0/actnorm_center/b: expected a multiple of {SQUEEZE} channels, got {channels}.")
    classes = _size(shapes, "model/prior/y_emb/W", axis=0) if "model/prior/y_emb/W" in shapes else 0
    return ModelConfig(
        image_shape=(*image_size, channels // SQUEEZE),
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


def _count(shapes, pattern):
    """How many consecutive numbers from 0 fit the pattern; others come out as left over."""
    return next(i for i in itertools.count() if pattern.format(i) not in shapes)


def _size(shapes, name, axis=-1):
    if not shapes.get(name):
        raise OpenaiError(f"there is no weight {name}, so this is not a model of the original code.")
    return shapes[name][axis]


def _permutation(shapes):
    for name, kind in (("invconv/W", "1x1"), ("invconv/L", "lu"), ("shuffle/indices", "shuffle")):
        if f"model/0/0/{name}" in shapes:
            return kind
    return "reverse"


def _coupling(outputs, channels):
    kinds = {channels: "affine", channels // 2: "additive"}
    if outputs not in kinds:
        raise OpenaiError(
            f"model/0/0/f1/l_last/W: expected {channels} outputs (affine) or {channels // 2} (additive), got {outputs}."
        )
    return kinds[outputs]
