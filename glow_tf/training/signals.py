"""Requests to end training: Ctrl-C, SIGTERM and Keras callbacks."""

import contextlib
import signal
import threading
import types
from collections.abc import Callable, Iterator

STOPPED_BY_CALLBACK = int(signal.NSIG)
"""Number that stands for a callback that set `model.stop_training`; greater than that of any signal."""


class StopSignals:
    """The signal that asked this process to stop, and the one on which all machines agree.

    Args:
        agreement: an `agreement.Agreement`, or another function that returns the largest number of all machines.
    """

    def __init__(self, agreement: Callable[[int], int]) -> None:
        self._agreement = agreement
        self.received = 0
        """Number of the last signal of this process, `STOPPED_BY_CALLBACK`, or 0."""
        self.agreed = 0
        """Number on which all machines agree to stop, or 0; set by `agree`."""

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Remember SIGINT and SIGTERM within the context, instead of ending the process.

        Python lets only the main thread do so; training in another thread leaves signals to the main program.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def agree(self) -> None:
        """Update `agreed`; every machine calls this once a step."""
        self.agreed = self._agreement(self.received)

    def _remember(self, number: int, frame: types.FrameType | None) -> None:
        self.received = number
