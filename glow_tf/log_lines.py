"""Show what the library logs as plain lines, for people who run a command.

The modules of the library log below the logger `glow_tf`. From Python the conventions of `logging` hold: warnings are
shown on standard error, and information is where the program configures it.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator

LIBRARY = logging.getLogger("glow_tf")


class LineHandler(logging.Handler):
    """Write each message as a line on standard error, above the progress bars that are there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message."""
        tqdm = sys.modules.get("tqdm")
        try:
            if tqdm is None:  # so there is no bar
                print(self.format(record), file=sys.stderr)
            else:
                tqdm.tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def shown_as_lines() -> Iterator[None]:
    """Show the library's messages, information too, as lines on standard error within the context.

    Nothing is changed if the messages are shown already: the logger `glow_tf` has a handler, of the program or of an
    outer context, or the root logger one that writes to the terminal, as `logging.basicConfig` makes it.

    Example:
        >>> with shown_as_lines():
        ...     LIBRARY.info("shown on standard error")
    """
    if LIBRARY.handlers or any(map(_writes_to_terminal, logging.getLogger().handlers)):
        yield
        return
    handler, level = LineHandler(), LIBRARY.level
    LIBRARY.addHandler(handler)
    if not LIBRARY.isEnabledFor(logging.INFO):
        LIBRARY.setLevel(logging.INFO)
    try:
        yield
    finally:
        LIBRARY.removeHandler(handler)
        LIBRARY.setLevel(level)


def _writes_to_terminal(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.stderr)
