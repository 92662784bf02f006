"""The routes of the page, with FastAPI. Errors are `{"error": a sentence}` with a status.

| route | body | answer |
|---|---|---|
| `GET /api/model` | | what `Studio.describe` gives, and limits |
| `GET /api/attributes` | | `Directions.state`; the first call begins to make them |
| `POST /api/images` | the bytes of an image file; `?label=` of a conditional model | `{"id"}` |
| `GET /api/images/{id}` | | the PNG |
| `POST /api/{samples,blend,move,redraw}` | see the classes below | `{"images": [PNG as a data URL, ...]}` |

A request with the header `X-Panel` gives way to a newer one with the same (409).
"""

import base64
import pathlib
from typing import Annotated

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from glow_tf.demo import uploads
from glow_tf.demo.studio import UnknownImage
from glow_tf.demo.turns import Busy, Overtaken, Turns
from glow_tf.errors import GlowError
from glow_tf.pictures import png

STATIC = pathlib.Path(__file__).with_name("static")
LOCAL = ("127.0.0.1", "localhost")
POLICY = "default-src 'self'; connect-src 'self' data:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"

Temperature = Annotated[float, Field(ge=0, le=2)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, le=64)]
Weight = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=-5, le=5)]
Panel = Annotated[str | None, Header(alias="X-Panel", max_length=80)]


class Samples(BaseModel):
    count: Count = 16
    temperature: Temperature = 0.7
    seed: Seed = 0
    label: int | None = None


class Blend(BaseModel):
    first: str
    second: str
    weights: Annotated[list[Weight], Field(min_length=1, max_length=32)]


class Move(BaseModel):
    image: str
    strengths: dict[str, Strength]


class Redraw(BaseModel):
    image: str
    levels: list[int]
    count: Count = 8
    temperature: Temperature = 0.7
    seed: Seed = 0


def create_app(studio, hosts=LOCAL):
    """The application over a `Studio`.

    Args:
        hosts: names by which it may be called; a page elsewhere cannot reach a local one by a name of its own.
    """
    app = FastAPI(title="glow_tf", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    turns = Turns()
    _handle_errors(app)

    async def pictures(work, panel):
        images = await turns.run(work, panel)
        return {"images": ["data:image/png;base64," + base64.b64encode(png(i)).decode() for i in images]}

    @app.get("/")
    def index():
        return FileResponse(STATIC / "index.html", headers={"Content-Security-Policy": POLICY})

    @app.get("/api/model")
    def model():
        return {**studio.describe(), "max_bytes": uploads.MAX_BYTES}

    @app.get("/api/attributes")
    def attributes():
        studio.directions.start()
        return studio.directions.state()

    @app.post("/api/images")
    async def add_image(request: Request, label: int | None = None):
        data = await _body(request)
        return {"id": await turns.run(lambda: studio.add(uploads.read_upload(data, studio.model.image_shape), label))}

    @app.get("/api/images/{name}")
    def image(name: str):
        return Response(png(studio.image(name)), media_type="image/png")

    @app.post("/api/samples")
    async def samples(body: Samples, panel: Panel = None):
        return await pictures(lambda: studio.sample(body.count, body.temperature, body.seed, body.label), panel)

    @app.post("/api/blend")
    async def blend(body: Blend, panel: Panel = None):
        return await pictures(lambda: studio.blend(body.first, body.second, body.weights), panel)

    @app.post("/api/move")
    async def move(body: Move, panel: Panel = None):
        return await pictures(lambda: studio.move(body.image, body.strengths), panel)

    @app.post("/api/redraw")
    async def redraw(body: Redraw, panel: Panel = None):
        return await pictures(
            lambda: studio.redraw(body.image, body.levels, body.temperature, body.seed, body.count), panel
        )

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _body(request):
    """The bytes of a request, read no further than a picture may be long."""
    with_length = request.headers.get("content-length", "0")
    uploads.check_bytes(int(with_length) if with_length.isdigit() else 0)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        uploads.check_bytes(len(data))
    return bytes(data)


def _handle_errors(app):
    def say(status, message, **headers):
        return JSONResponse({"error": message}, status, headers=headers)

    @app.exception_handler(GlowError)
    def refused(_, error):
        status = 404 if isinstance(error, UnknownImage) else getattr(error, "status", 422)
        return say(status, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_, error):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "header"))
        return say(422, f"{where or 'request'}: {first['msg'][:1].lower()}{first['msg'][1:]}.")

    @app.exception_handler(Overtaken)
    def overtaken(*_):
        return say(409, "A newer request took the place of this one.")

    @app.exception_handler(Busy)
    def busy(*_):
        return say(503, "The model has too much to do; try again in a moment.", **{"Retry-After": "1"})

    @app.exception_handler(HTTPException)
    def missing(_, error):
        return say(error.status_code, f"{error.detail}.")

    @app.exception_handler(Exception)
    def failed(_, error):
        return say(500, f"The model failed ({type(error).__name__}); the terminal that runs the page says more.")
