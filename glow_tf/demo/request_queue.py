"""A queue that runs one computation at a time and, of each panel, only the newest."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class SupersededError(Exception):
    """Report a request that was not computed, because a newer one of its panel came while it waited."""


class QueueFullError(Exception):
    """Report a request that was not computed, because too many others wait."""


class LatestRequestQueue:
    """A queue that runs computations in a worker thread, one at a time, first come, first served.

    A slider sends requests faster than a model computes. A waiting request is dropped when a newer one of its panel
    arrives or when its task is cancelled, and a request that finds `max_waiting` others waiting is rejected, so the
    queue cannot grow. A computation that has begun runs to its end.

    Args:
        max_waiting: the most requests that may wait.
    """

    def __init__(self, max_waiting: int = 16) -> None:
        self._max_waiting, self._waiting = max_waiting, 0
        self._newest: dict[str, object] = {}
        self._lock = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "glow-model")

    async def run(self, work: Callable[[], Result], panel: str | None = None) -> Result:
        """Return the result of `work()`.

        Args:
            work: the computation.
            panel: name of the sender, such as "page 7: blend"; a request with None is never superseded.

        Raises:
            SupersededError: a newer request of the same panel arrived first.
            QueueFullError: too many requests wait.
        """
        if self._waiting >= self._max_waiting:
            raise QueueFullError
        ticket = object()
        if panel is not None:
            self._newest[panel] = ticket

        def start() -> Result:
            # In the worker thread, which may still have been busy for a task that was cancelled.
            if panel is not None and self._newest.get(panel) is not ticket:
                raise SupersededError
            return work()

        try:
            await self._wait_for_turn()
            try:
                return await asyncio.get_running_loop().run_in_executor(self._worker, start)
            finally:
                self._lock.release()
        finally:
            if panel is not None and self._newest.get(panel) is ticket:
                del self._newest[panel]

    async def _wait_for_turn(self) -> None:
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
