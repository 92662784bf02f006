"""Signals that end training: Ctrl-C and SIGTERM."""

import contextlib
import signal


class StopSignals:
    """The signal that asked this process to stop, and the one on which all machines agree.

    Args:
        agreement: a `devices.Agreement`.
    """

    def __init__(self, agreement):
        self._agreement = agreement
        self.received = 0
        """Number of the last signal of this process, or 0."""
        self.agreed = 0
        """Number of the signal on which all machines agree to stop, or 0; set by `agree`."""

    @contextlib.contextmanager
    def caught(self):
        """Remember SIGINT and SIGTERM within the context, instead of ending the process."""
        handlers = {number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def agree(self):
        """Update `agreed`; every machine calls this once a step."""
        self.agreed = self._agreement(self.received)

    def _remember(self, number, frame):
        self.received = number
