"""Compare the weights that a training is to start from with those of its model, by name and shape."""

import warnings
from collections.abc import Mapping
from typing import TypeAlias

from glow_tf.config import InitialWeights, ModelConfig
from glow_tf.errors import RunError

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Shapes of weights, by the name of the variable."""

FIELDS_THAT_MUST_AGREE = ("levels", "depth", "width", "permutation", "coupling", "scale")
"""Fields of the model's configuration without which its weights mean something else, besides the image channels.

All others may differ: height and width, bits, classes, learn_top and weight_y, and what changes no number.
"""

OPTIONAL_PARTS = ("flow/prior/conv/", "flow/prior/embedding/", "classifier/")
"""Layers that only some models have, those of learn_top, classes and weight_y; all of them start at zero."""


def check_meaning(record: InitialWeights, theirs: ModelConfig, ours: ModelConfig) -> None:
    """Raise a `RunError` if the configurations of two models differ in what gives their weights another meaning."""
    pairs = [(name, getattr(theirs, name), getattr(ours, name)) for name in FIELDS_THAT_MUST_AGREE]
    pairs.append(("image channels", theirs.image_shape[2], ours.image_shape[2]))
    differences = [f"{name} {their} there, {our} here" for name, their, our in pairs if their != our]
    if differences:
        raise RunError(
            f"{record.path} has weights of another model: {'; '.join(differences)}. Give the same options as there; "
            "image size, bits, classes, learn_top and weight_y may differ."
        )


def skipped_parts(theirs: Shapes, ours: Shapes) -> tuple[str, ...]:
    """Return the prefixes of the optional layers whose weights are not the same in name and shape in both models."""

    def part(shapes: Shapes, prefix: str) -> Shapes:
        return {name: shape for name, shape in shapes.items() if name.startswith(prefix)}

    return tuple(prefix for prefix in OPTIONAL_PARTS if part(theirs, prefix) != part(ours, prefix))


def check_shapes(record: InitialWeights, theirs: Shapes, ours: Shapes, skipped: tuple[str, ...]) -> None:
    """Raise a `RunError` that names the weights which only one model has, or which have another shape."""
    differences = [
        f"{name} ({theirs.get(name, 'missing')} there, {ours.get(name, 'missing')} here)"
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name) != ours.get(name) and not name.startswith(skipped)
    ]
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise RunError(
            f"{record.path} does not fit the model: its weights differ in {', '.join(differences[:3])}{more}."
        )


def warn_of_skipped_parts(record: InitialWeights, ours: Shapes, skipped: tuple[str, ...]) -> None:
    """Warn of the optional layers of the model that start at zero, and of those that the record has besides."""
    new = [prefix.rstrip("/") for prefix in skipped if any(name.startswith(prefix) for name in ours)]
    unused = [prefix.rstrip("/") for prefix in skipped if prefix.rstrip("/") not in new]
    for parts, text in (
        (new, "start at zero: it has none of that shape"),
        (unused, "are left out: this model has none"),
    ):
        if parts:
            warnings.warn(f"{record.path}: the weights of {', '.join(parts)} {text}.", stacklevel=4)
