"""Requests to end training: Ctrl-C, SIGTERM and Keras callbacks."""

import contextlib
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

STOPPED_BY_CALLBACK = int(signal.NSIG)
"""Number that stands for a callback that set `model.stop_training`; greater than that of any signal."""

SECONDS_OF_ONE_REQUEST = 1.0
"""Seconds within which a further signal is the same request: GNU's `timeout`, for one, sends each signal twice."""


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
        self._signaled_at: float | None = None
        self._handlers: dict[int, Any] = {}

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Remember SIGINT and SIGTERM within the context, instead of ending the process; a second one does end it.

        Python lets only the main thread do so; training in another thread leaves signals to the main program.
        """
        self.received, self.agreed, self._signaled_at = 0, 0, None
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._handlers = {n: signal.signal(n, self._remember) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            self._restore_handlers()

    def agree(self) -> None:
        """Update `agreed`, which stays once it is set; every machine calls this once a step."""
        self.agreed = self.agreed or self._agreement(self.received)

    def _remember(self, number: int, frame: types.FrameType | None) -> None:
        now = time.monotonic()
        if self._signaled_at is not None and now - self._signaled_at > SECONDS_OF_ONE_REQUEST:
            self._restore_handlers()
            signal.raise_signal(number)
            return
        self.received, self._signaled_at = number, self._signaled_at or now

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
