"""Types and bounds of options, checked from the annotations of dataclass fields and of function parameters.

A bound is a part of the annotation, beside the type: `depth: Annotated[int, Between(1, 1024)] = 32`.
"""

import collections.abc
import dataclasses
import functools
import inspect
import math
import numbers
import operator
import os
import pathlib
import types
import typing
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Annotated, Any, Literal, SupportsFloat, TypeAlias, TypeVar

import numpy as np

from glow_tf.counts import counted
from glow_tf.errors import ConfigError, did_you_mean

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Between:
    """Bounds of a number, or of each number of a tuple.

    Args:
        low, high: the smallest and the greatest value.
        open_low, open_high: exclude `low`, or `high`, itself.

    Example:
        >>> 1.0 in Between(0, 1, open_high=True)
        False
    """

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, number: float) -> bool:
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    def __str__(self) -> str:
        if not (self.open_low or self.open_high):
            return f"{self.low:,} to {self.high:,}"
        least, most = "more than" if self.open_low else "at least", "less than" if self.open_high else "at most"
        return f"{least} {self.low:,} and {most} {self.high:,}"


@dataclasses.dataclass(frozen=True)
class NotEmpty:
    """Mark a text or a tuple that must not be empty."""

    def __contains__(self, value: Sized) -> bool:
        return len(value) > 0

    def __str__(self) -> str:
        return "something"


@dataclasses.dataclass(frozen=True)
class Utf8:
    """Mark the path of what TensorFlow writes or reads: it takes names in UTF-8 only."""

    def __contains__(self, value: object) -> bool:
        try:
            return bool(str(value).encode())
        except UnicodeEncodeError:
            return False

    def __str__(self) -> str:
        return "a name in UTF-8"


Bound: TypeAlias = Between | NotEmpty | Utf8
"""A bound beside the type of an annotation."""

Seed32 = Annotated[int, Between(0, 2**31 - 1)]
"""A seed of TensorFlow's stateless random numbers."""

PathText = Annotated[str, NotEmpty()]
"""The path of a file or a folder; an empty one would silently be the current folder."""
TensorFlowPath = Annotated[PathText, Utf8()]
"""The path of a file or a folder of TensorFlow's."""


def check_fields(config: object, name_of: Callable[[str], str] = str) -> None:
    """Check every field of a frozen dataclass by its annotation, and set it to the value in the annotated type.

    Args:
        config: the instance, in its `__post_init__`.
        name_of: returns the name of a field in error messages.

    Raises:
        ConfigError: a value has another type, or is out of bounds.
    """
    for name, annotation in _annotations(type(config)).items():
        object.__setattr__(config, name, check(getattr(config, name), annotation, name_of(name)))


def check_arguments(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return the function of a command with a check of its arguments by their annotations; errors name the options.

    Arguments that are dataclasses check themselves.
    """
    signature, annotations = inspect.signature(function), _annotations(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Result:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if not dataclasses.is_dataclass(annotations[name]):
                positional = signature.parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY
                shown_name = name.upper() if positional else option_name(name)
                bound.arguments[name] = check(value, annotations[name], shown_name)
        return function(*bound.args, **bound.kwargs)

    return checked


def option_name(name: str) -> str:
    """Return the option of the command line for a name in Python: `--batch-size` for `batch_size`."""
    return f"--{name.replace('_', '-')}"


def setting(name: str, value: str | int) -> str:
    """Return how a field is set from Python, and on the command line.

    Example:
        >>> setting("fit", "resize")
        'fit="resize" (--fit resize)'
    """
    shown_value = f'"{value}"' if isinstance(value, str) else value
    return f"{name}={shown_value} ({option_name(name)} {value})"


def check(value: Any, annotation: Any, name: str, bounds: Sequence[Bound] = ()) -> Any:
    """Return a value in the type of an annotation, such as an int of NumPy as Python's.

    Args:
        value: the value to check.
        annotation: `int`, `float`, `bool`, `str`, `pathlib.Path`, a dataclass, a `Literal`, or a tuple of such or such
            a type `| None`, each perhaps `Annotated` with `Between`, `NotEmpty` or `Utf8`. A path may stand for a
            `str`.
        name: name of the value, for the error message.
        bounds: further bounds of the value.

    Raises:
        ConfigError: the value has another type, or is out of bounds.

    Example:
        >>> check([8, 8, 1], tuple[int, int, int], "image_shape")
        (8, 8, 1)
    """
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        bounds = (*bounds, *(part for part in parts[1:] if isinstance(part, Bound)))
        return check(value, parts[0], name, bounds)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (annotation,) = (part for part in parts if part is not types.NoneType)
        return check(value, annotation, name, bounds)
    if origin is Literal:
        return _check_choice(value, parts, name)
    if origin is tuple:
        return _check_tuple(value, parts, name, bounds)
    return _check_scalar(value, annotation, name, bounds)


def _check_choice(value: object, choices: Sequence[str], name: str) -> str:
    if not (isinstance(value, str) and value in choices):
        hint = did_you_mean(value, choices)
        raise ConfigError(f"{name}: expected one of {', '.join(choices)}, got {_shown(value)}.{hint}")
    return value


def _check_tuple(value: object, parts: tuple[Any, ...], name: str, bounds: Sequence[Bound]) -> tuple[Any, ...]:
    """Check a tuple of one type of any length, or of a type for each place; other sequences become tuples."""
    variable = parts[-1] is Ellipsis
    # A set has no order, and texts, bytes and the keys of a dictionary are no numbers or names.
    refused = str | bytes | collections.abc.Set | collections.abc.Mapping
    values = tuple(value) if isinstance(value, collections.abc.Iterable) and not isinstance(value, refused) else None
    if values is None or not (variable or len(values) == len(parts)):
        count = "several values" if variable else counted(len(parts), "value")
        raise ConfigError(f"{name}: expected {count}, got {_shown(value)}.")
    _require_bounds(values, [b for b in bounds if isinstance(b, NotEmpty)], name)
    parts = parts[:1] * len(values) if variable else parts
    each = tuple(b for b in bounds if isinstance(b, Between | Utf8))
    return tuple(check(item, part, name, each) for item, part in zip(values, parts, strict=True))


def _check_scalar(value: Any, kind: type[Any], name: str, bounds: Sequence[Bound]) -> Any:
    try:
        converted = _convert(value, kind)
    except (TypeError, ValueError):
        expected = _KIND_NAMES.get(kind, kind.__name__) + "".join(f", {b}" for b in bounds if isinstance(b, Between))
        raise ConfigError(f"{name}: expected {expected}, got {_shown(value)}.") from None
    _require_bounds(converted, bounds, name)
    return converted


_KIND_NAMES: dict[type, str] = {
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    str: "text",
    pathlib.Path: "a path",
}


def _convert(value: Any, kind: type[Any]) -> Any:
    """Return a value as `kind`; raise a `TypeError` or `ValueError` if it is something else."""
    is_bool = isinstance(value, bool | np.bool_)
    if kind is bool and is_bool:
        return bool(value)
    if kind is int and not is_bool:
        return operator.index(value)
    if kind is float and isinstance(value, numbers.Real) and not is_bool:
        return _finite(value)
    if kind is pathlib.Path and isinstance(value, str):
        return pathlib.Path(value)
    if kind is str and isinstance(value, os.PathLike):
        value = os.fspath(value)  # which may be bytes
    if kind not in (bool, int, float) and isinstance(value, kind):
        return value
    raise TypeError


def _finite(value: SupportsFloat) -> float:
    try:
        value = float(value)
    except OverflowError:  # an int beyond the floats
        raise ValueError from None
    if not math.isfinite(value):
        raise ValueError
    return value


def _require_bounds(value: Any, bounds: Iterable[Bound], name: str) -> None:
    for bound in bounds:
        if value not in bound:
            raise ConfigError(f"{name}: expected {bound}, got {_shown(value)}.")


def _shown(value: object) -> str:
    """Return the `repr` of a value, cut to one short line."""
    try:
        text = repr(value)
    except ValueError:  # Python converts no int of more than 4,300 digits
        return "a number of thousands of digits"
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."


@functools.cache
def _annotations(owner: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(owner, include_extras=True)
