"""The answers of the page to errors: `{"error": a sentence}` with an HTTP status."""

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from glow_tf.demo.image_store import UnknownImage
from glow_tf.demo.request_queue import QueueFull, Superseded
from glow_tf.errors import GlowError


def add_error_handlers(app):
    """Make a FastAPI application answer errors with a status and a sentence.

    A visitor's mistake is a `GlowError` (422, or the error's own `status`), an `UnknownImage` (404) or an invalid
    request (422). A superseded request gets 409, a full queue 503; any other exception is a fault of the server (500).
    """

    @app.exception_handler(GlowError)
    def glow_error(_, error):
        return _answer(getattr(error, "status", 422), str(error))

    @app.exception_handler(UnknownImage)
    def unknown_image(_, error):
        return _answer(404, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid_request(_, error):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "header"))
        return _answer(422, f"{field or 'request'}: {first['msg'][:1].lower()}{first['msg'][1:]}.")

    @app.exception_handler(Superseded)
    def superseded(*_):
        return _answer(409, "A newer request took the place of this one.")

    @app.exception_handler(QueueFull)
    def queue_full(*_):
        return _answer(503, "The model has too much to do; try again in a moment.", **{"Retry-After": "1"})

    @app.exception_handler(HTTPException)
    def http_error(_, error):
        return _answer(error.status_code, f"{error.detail}.")

    @app.exception_handler(Exception)
    def server_error(_, error):
        return _answer(500, f"The model failed ({type(error).__name__}); the terminal that runs the page says more.")


def _answer(status, message, **headers):
    return JSONResponse({"error": message}, status, headers=headers)
