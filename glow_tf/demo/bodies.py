"""Bounds on requests: the bytes of a body, the time it may take to come, and the life of a client that waits."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glow_tf.demo.error_responses import error_response
from glow_tf.demo.uploads import MAX_BYTES, TOO_LARGE_FILE

MAX_JSON_BYTES = 64_000
"""Bytes of a body that is no upload; the page's own have some hundred."""
TOO_LARGE_REQUEST = f"This request has more than {MAX_JSON_BYTES // 1000} kB; send less."
MAX_UPLOADS = 4
"""Uploads that are held in memory at a time, those that wait for the model included."""
BODY_SECONDS = 120.0
"""Time in which a body must have come: the largest upload at 1.4 Mbit/s."""


class RefusedBodyError(Exception):
    """Report a body that is not read to its end; the arguments are those of `error_response`."""


class BoundedRequests:
    """ASGI middleware that reads each body whole, within bounds, and ends the work for a client that has gone.

    A body over its limit gets 413, one that does not come in time 408, an upload while `MAX_UPLOADS` others are at work
    503. When the client disconnects, the application's task for its request is cancelled.

    Args:
        app: ASGI application.
        upload_path: path whose bodies are image files.
        seconds: time in which a body must have come.
    """

    def __init__(self, app: ASGIApp, upload_path: str, seconds: float = BODY_SECONDS) -> None:
        self.app, self.upload_path, self.seconds = app, upload_path, seconds
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif (scope["method"], scope["path"]) != ("POST", self.upload_path):
            await self._bounded(MAX_JSON_BYTES, TOO_LARGE_REQUEST, scope, receive, send)
        elif self._uploads >= MAX_UPLOADS:
            message = "Too many pictures are being uploaded; try again in a moment."
            await error_response(503, message, retry_after=1)(scope, receive, send)
        else:
            self._uploads += 1
            try:
                await self._bounded(MAX_BYTES, TOO_LARGE_FILE, scope, receive, send)
            finally:
                self._uploads -= 1

    async def _bounded(self, limit: int, too_large: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body of at most `limit` bytes and run the application, or answer why not."""
        declared = Headers(scope=scope).get("content-length", "")
        try:
            if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
                raise RefusedBodyError(413, too_large)
            async with asyncio.timeout(self.seconds):
                body = await _read_body(receive, limit, too_large)
        except RefusedBodyError as refused:
            await error_response(*refused.args)(scope, receive, send)
        except TimeoutError:
            message = f"The request did not come whole within {self.seconds:g} seconds; send it again."
            await error_response(408, message, connection="close")(scope, receive, send)
        else:
            if body is not None:
                await self._run_until_disconnect(body, scope, receive, send)

    async def _run_until_disconnect(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application on a body that was read; cancel it if the client disconnects before it is answered."""
        gone = asyncio.ensure_future(_wait_for_disconnect(receive))
        unread, is_answered = [body], False

        async def replay() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await asyncio.wait({gone})
            return {"type": "http.disconnect"}

        async def send_and_note(message: Message) -> None:
            nonlocal is_answered
            is_answered = is_answered or (message["type"] == "http.response.body" and not message.get("more_body"))
            await send(message)

        work = asyncio.ensure_future(self.app(scope, replay, send_and_note))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() or is_answered:
                await work
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.wait({work})


async def _read_body(receive: Receive, limit: int, too_large: str) -> bytes | None:
    """Return the bytes of a body, or None if the client disconnects; raise `RefusedBodyError` if it is too long."""
    chunks, size, is_complete = [], 0, False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise RefusedBodyError(413, too_large)
        is_complete = not message.get("more_body", False)
    return b"".join(chunks)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
