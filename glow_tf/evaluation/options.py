"""Validation of command-line options, and the progress bar of the sub-commands."""

import math

import tqdm

from glow_tf.errors import ConfigError


def require_at_least(minimum, **options):
    """Raise a `ConfigError` if an option, given by its name in Python, is neither None nor at least `minimum`."""
    for name, value in options.items():
        if value is not None and not value >= minimum:
            raise ConfigError(f"--{name.replace('_', '-')}: expected {minimum} or more, got {value}.")


def require_finite(name, values):
    """Raise a `ConfigError` unless there is at least one value and all values are finite."""
    if not values or not all(map(math.isfinite, values)):
        raise ConfigError(f"--{name}: expected finite numbers, got {', '.join(map(str, values)) or 'none'}.")


def progress_bar(total, description):
    """Return a progress bar over `total` images on standard error.

    The bar is cleared at the end. It is disabled where standard error is not a terminal.
    """
    return tqdm.tqdm(total=total, desc=description, unit=" images", leave=False, disable=None, dynamic_ncols=True)
