"""Calibrate attribute directions: give each the length at which strength 1 shows the attribute and changes little else.

Where the lengths follow from the latents alone, as in the original code, one direction is too short to add a beard, and
another already turns the hair black.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from glow_tf.attributes import Attributes
from glow_tf.evaluation.attribute_accuracy import EditEffect

FACTORS = tuple(0.25 * quarters for quarters in range(1, 17))
"""The factors to choose from, by which the length of a direction is multiplied."""

MIN_DETECTED = 0.9
"""Share of edited images in which the attribute must be detected; other images than these have a little less."""


def choose_factor(measure: Callable[[float], EditEffect | None], factors: Sequence[float] = FACTORS) -> float:
    """Choose the least factor at which edits suffice: most images get the attribute, and all stay in range.

    If there is none, the factor is the one with the greatest share of edited images in which the attribute is detected,
    less the share of predictions of other attributes that change, and less the share of images out of range.

    Args:
        measure: function that returns the effect of an edit at a strength, or None if there are no images to edit.
        factors: the factors to choose from, ascending.

    Returns:
        The factor; 1 if there are no images to edit.

    Example:
        >>> choose_factor(lambda strength: EditEffect(50, 0.0, min(1.0, 0.4 * strength), 0.1 * strength, 0))
        2.25
    """
    balances = {}
    for factor in factors:
        effect = measure(factor)
        if effect is None:
            return 1.0
        if effect.after >= MIN_DETECTED and not effect.outside:
            return factor
        balances[factor] = effect.after - (effect.others_changed or 0) - effect.outside / effect.count
    return max(balances, key=balances.__getitem__)


def calibrate(
    directions: Attributes, names: Sequence[str], measure: Callable[[Attributes, str, float], EditEffect | None]
) -> Attributes:
    """Multiply directions by factors, each chosen on edits of images without the attribute (see `choose_factor`).

    Args:
        directions: the directions.
        names: the attributes to calibrate; the lengths of the others stay.
        measure: function that returns the effect of an edit along one of the directions at a strength, or None if there
            are no images to edit, such as `AttributeEdits.measure` of validation images.

    Returns:
        The directions in their order.
    """
    factors = np.ones([len(directions.names), 1], np.float32)
    for name in names:
        factors[directions.names.index(name)] = choose_factor(functools.partial(measure, directions, name))
    return Attributes(directions.names, directions.directions * factors)
