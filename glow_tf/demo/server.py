"""The page's HTTP server: uvicorn, with bounds on slow clients and a quiet end."""

import asyncio
import logging
import os
import socket
import sys

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
"""Time in which a client must have sent the headers of a request, from the connection or the last answer on."""
REST_SECONDS = 150.0
"""Time for the rest of a request, more than `bodies.BODY_SECONDS`, whose answer says why; and to take an answer."""
MAX_CONNECTIONS = 200
"""Open connections; more are closed at once. A process may open 256 files on some systems."""
SHUTDOWN_SECONDS = 2
"""Time in which requests that are being answered may end after Ctrl-C."""
INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended."""


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Answer requests with an ASGI application until Ctrl-C or SIGTERM ends this process.

    Args:
        app: the application.
        listener: a socket that listens.
    """
    try:
        make_server(app).run(sockets=[listener])
    except KeyboardInterrupt:
        # A thread that computes cannot be stopped, and Python would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Return the server of an ASGI application."""
    return QuietServer(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_level="error",
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )


class QuietServer(uvicorn.Server):
    """A server that is silent about the requests which its end breaks off."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Break off the requests that are being answered, after `SHUTDOWN_SECONDS`."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 that closes the connection of a client which is too slow to send a request or to take an answer."""

    timer: asyncio.TimerHandle | None = None
    awaited: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the timer of a new connection, or close it if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Await the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Await that the client takes the answer."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer of a closed connection."""
        super().connection_lost(exc)
        self._stop_timer()

    def _watch(self) -> None:
        """Start the timer when another thing is awaited of the client than before; a part of it does not suffice."""
        if self.flow.write_paused:
            awaited, seconds = "answer taken", REST_SECONDS
        elif self.conn.their_state is h11.IDLE:
            awaited, seconds = "headers", HEADER_SECONDS
        elif self.conn.their_state is h11.SEND_BODY:
            awaited, seconds = "body", REST_SECONDS
        else:
            awaited = None
        if awaited == self.awaited:
            return
        self._stop_timer()
        self.awaited = awaited
        if awaited is not None:
            self.timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
