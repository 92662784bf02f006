"""Parse a command line with tyro; turn its framed error messages into one sentence."""

import contextlib
import functools
import inspect
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import docstring_parser
import tyro

from glow_tf.errors import ConfigError

_ERROR = r"Error parsing (\S+): "
_REPHRASED = (
    (r"Missing from .+?: (\S+) (.*) \(required\).*", r"\1 is missing: \2"),
    (_ERROR + r"invalid literal for int\(\) with base 10: (.*)", r"\1: expected a whole number, got \2."),
    (_ERROR + r"could not convert string to float: (.*)", r"\1: expected a number, got \2."),
    (_ERROR + r"no type matching \{None\}\|INT .* from \[(.*?)\]\..*", r"\1: expected a whole number, got \2."),
    (_ERROR + r"no type matching \{None\}\|FLOAT .* from \[(.*?)\]\..*", r"\1: expected a number, got \2."),
    # A configuration that was not accepted has said why itself.
    (r"Error parsing (?:model|data|training|run|target|Options): (.*)", r"\1"),
    (_ERROR + "(.*)", r"\1: \2"),
)
"""Patterns of tyro's error messages, and their replacements here."""


def parse(target: Any, arguments: Sequence[str], **options: Any) -> Any:
    """Parse the words of a command line; see `tyro.cli`.

    Args:
        target: a dataclass, or a function, which is not called yet.
        arguments: words of the command line.
        **options: other arguments of `tyro.cli`.

    Returns:
        The instance of the dataclass, or a function without arguments that makes the call.

    Raises:
        ConfigError: the words cannot be parsed.
    """
    function = defer(target) if inspect.isfunction(target) else target
    return _with_short_errors(functools.partial(tyro.cli, function, args=arguments, **options), arguments)


def parse_subcommand(
    functions: Mapping[str, Callable[..., Any]], arguments: Sequence[str], **options: Any
) -> Callable[[], Any]:
    """Parse the words of a command line with a sub-command; return a function without arguments that makes the call.

    Args:
        functions: sub-command -> function.
        arguments: words of the command line.
        **options: other arguments of `tyro.extras.subcommand_cli_from_dict`.

    Raises:
        ConfigError: the words cannot be parsed.
    """
    deferred = {name: defer(function) for name, function in functions.items()}
    cli = functools.partial(tyro.extras.subcommand_cli_from_dict, deferred, args=arguments, **options)
    return _with_short_errors(cli, arguments)


def defer(function: Callable[..., Any]) -> Callable[..., Callable[[], Any]]:
    """Return a function of the same signature that returns the call, to be made later."""

    @functools.wraps(function)
    def deferred(*args: Any, **kwargs: Any) -> Callable[[], Any]:
        return functools.partial(function, *args, **kwargs)

    return deferred


def _with_short_errors(cli: Callable[[], Any], arguments: Sequence[str]) -> Any:
    """Call tyro; raise a `ConfigError` of one sentence where it would print an error in a frame."""
    if {"-h", "--help"} & set(arguments):
        with _joined_lines():
            return cli()
    text = io.StringIO()
    try:
        with _joined_lines(), _unwrapped_lines(), contextlib.redirect_stderr(text):
            return cli()
    except SystemExit as end:
        if not end.code:
            raise
    raise ConfigError(sentence(text.getvalue()))


@contextlib.contextmanager
def _joined_lines() -> Iterator[None]:
    """Join the lines in which docstrings describe options: tyro would break the lines of its help there too.

    Tyro keeps what it has parsed, so that every call needs it, not only that for the help.
    """
    functions = {name: getattr(docstring_parser, name) for name in ("parse", "parse_from_object")}
    for name, function in functions.items():
        setattr(docstring_parser, name, functools.partial(_parse_and_join, function))
    try:
        yield
    finally:
        for name, function in functions.items():
            setattr(docstring_parser, name, function)


def _parse_and_join(parse: Callable[..., docstring_parser.Docstring], *args: Any) -> docstring_parser.Docstring:
    docstring = parse(*args)
    for parameter in docstring.params:
        parameter.description = " ".join((parameter.description or "").split()) or None
    return docstring


@contextlib.contextmanager
def _unwrapped_lines() -> Iterator[None]:
    """Make tyro assume a wide terminal, so that it breaks no line of a message."""
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "10000"
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if columns is not None:
            os.environ["COLUMNS"] = columns


def sentence(frame: str) -> str:
    """Return a framed error message of tyro as one line: what is wrong, and the option that may have been meant.

    Args:
        frame: the text that tyro printed.
    """
    lines = [line.strip("│ ") for line in re.sub(r"\x1b\[[0-9;]*m", "", frame).splitlines()]  # without colors
    # The title stands in the frame, or above a rule where the terminal cannot draw frames.
    lines = lines[1:] if lines and lines[0].startswith("╭") else lines[2:]
    lines = [line for line in lines if not line.startswith("╰")]
    rules = [i for i, line in enumerate(lines) if line and set(line) <= {"─", "-"}]
    message = " ".join(filter(None, lines[: rules[0] if rules else None]))
    for pattern, replacement in _REPHRASED:
        message = re.sub(f"^{pattern}$", replacement, message)
    if "Perhaps you meant:" in lines:
        similar = [line.split()[0] for line in lines[lines.index("Perhaps you meant:") :] if line.startswith("-")]
        message = (
            f"{message.rstrip('.')}. Did you mean {' or '.join(dict.fromkeys(s for s in similar if s.strip('-')))}?"
        )
    return message or "the command line cannot be parsed."
