"""The answers of the page to errors: `{"error": a sentence}` with an HTTP status."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from glow_tf.demo.image_store import UnknownImageError
from glow_tf.demo.request_queue import QueueFullError, SupersededError
from glow_tf.errors import GlowError


class AsciiJSONResponse(JSONResponse):
    """JSON in ASCII: names of files and folders may hold what has no UTF-8."""

    def render(self, content: Any) -> bytes:
        """Return the body of a response."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def error_response(status: int, message: str, **headers: object) -> JSONResponse:
    """Return the response `{"error": message}`.

    Args:
        status: the HTTP status.
        message: a sentence, which the page shows.
        **headers: values of HTTP headers, by name with underscores, such as `retry_after=1`.
    """
    values = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return AsciiJSONResponse({"error": message}, status, headers=values)


def add_error_handlers(app: FastAPI) -> None:
    """Make a FastAPI application answer errors with a status and a sentence.

    A visitor's mistake is a `GlowError` (422, or the error's own `status`), an `UnknownImageError` (404) or an invalid
    request (422). A superseded request gets 409, a full queue 503; any other exception is a fault of the server (500).
    """

    @app.exception_handler(GlowError)
    def glow_error(_: Request, error: GlowError) -> JSONResponse:
        return error_response(getattr(error, "status", 422), str(error))

    @app.exception_handler(UnknownImageError)
    def unknown_image(_: Request, error: UnknownImageError) -> JSONResponse:
        return error_response(404, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(422, _validation_message(error.errors()[0]))

    @app.exception_handler(SupersededError)
    def superseded(*_: object) -> JSONResponse:
        return error_response(409, "A newer request took the place of this one.")

    @app.exception_handler(QueueFullError)
    def queue_full(*_: object) -> JSONResponse:
        return error_response(503, "The model has too much to do; try again in a moment.", retry_after=1)

    @app.exception_handler(HTTPException)
    def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, f"{error.detail}.")

    @app.exception_handler(Exception)
    def server_error(_: Request, error: Exception) -> JSONResponse:
        name = type(error).__name__
        return error_response(500, f"The model failed ({name}); the terminal that runs the page says more.")


def _validation_message(error: Mapping[str, Any]) -> str:
    """Return the sentence of one of pydantic's errors, such as "count: input should be less than or equal to 64."."""
    if error["type"] == "json_invalid":
        return f"request: expected JSON, which this is not from character {error['loc'][-1]} on."
    field = ".".join(str(part)[:80] for part in error["loc"] if part not in ("body", "query", "header"))
    message = error["msg"]
    return f"{field or 'request'}: {message[:1].lower()}{message[1:]}."
