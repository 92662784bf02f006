"""Set a context variable within a `with` statement."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def value_set(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Set a context variable within the context, and restore its value afterwards.

    Example:
        >>> variable = ContextVar("variable", default=1)
        >>> with value_set(variable, 2):
        ...     variable.get()
        2
        >>> variable.get()
        1
    """
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
