"""One computation at a time, and of one panel only the newest."""

import asyncio

import anyio


class Overtaken(Exception):
    """A newer request of the same panel came while this one waited; nobody needs its result."""


class Busy(Exception):
    """More requests wait than there is room for."""


class Turns:
    """Runs computations one after the other in a worker thread, first come, first served.

    A slider fires faster than a model computes. Whoever waits and is overtaken by a newer request of its panel is
    not computed any more, and where more than `room` wait the next one is turned away, so no queue grows.
    """

    def __init__(self, room=16):
        self._room, self._waiting, self._newest, self._lock = room, 0, {}, asyncio.Lock()

    async def run(self, work, panel=None):
        """The result of `work()`.

        Args:
            work: a function without arguments.
            panel: who asks, such as "page 7: blend"; None is never overtaken.

        Raises:
            Overtaken, Busy: it was not computed.
        """
        if self._waiting >= self._room:
            raise Busy
        ticket = object()
        if panel is not None:
            self._newest[panel] = ticket
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            if panel is not None and self._newest.get(panel) is not ticket:
                raise Overtaken
            return await anyio.to_thread.run_sync(work)
        finally:
            if self._newest.get(panel) is ticket:
                del self._newest[panel]
            self._lock.release()
