"""What the configurations share: a bound, and the check of several fields together."""

from typing import Annotated

from glow_tf.errors import ConfigError
from glow_tf.fields import Between

Count = Annotated[int, Between(1, 10**9)]
"""A number of steps, epochs or the like."""


def require(condition: object, message: str) -> None:
    """Raise a `ConfigError` with the message unless the condition is true."""
    if not condition:
        raise ConfigError(message)
