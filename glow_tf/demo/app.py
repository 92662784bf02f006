"""The routes of the page, with FastAPI.

| route | body | answer |
|---|---|---|
| `GET /api/model` | | `DemoSession.describe`, and limits |
| `GET /api/attributes` | | `Directions.status`; the first call starts their computation |
| `POST /api/images` | the bytes of an image file; `?label=` of a conditional model | `{"id"}` |
| `GET /api/images/{id}` | | the PNG |
| `POST /api/{samples,blend,move,redraw}` | see the classes below | `{"images": [PNG as a data URL, ...]}` |

A request with the header `X-Panel` is superseded by a newer one with the same (409). Errors: see `error_responses`.
"""

import base64
import pathlib
from typing import Annotated

from fastapi import FastAPI, Header, Request
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from glow_tf.demo import uploads
from glow_tf.demo.error_responses import add_error_handlers
from glow_tf.demo.request_queue import LatestRequestQueue
from glow_tf.pictures import png

STATIC = pathlib.Path(__file__).with_name("static")
LOCAL_HOSTS = ("127.0.0.1", "localhost")
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src 'self' data:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
)

Temperature = Annotated[float, Field(ge=0, le=2)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, le=64)]
Weight = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=-5, le=5)]
Panel = Annotated[str | None, Header(alias="X-Panel", max_length=80)]


class SamplesRequest(BaseModel):
    """The body of `POST /api/samples`; without a label a conditional model takes each class in turn."""

    count: Count = 16
    temperature: Temperature = 0.7
    seed: Seed = 0
    label: int | None = None


class BlendRequest(BaseModel):
    """The body of `POST /api/blend`: ids of two images, and a weight of the second for each result."""

    first: str
    second: str
    weights: Annotated[list[Weight], Field(min_length=1, max_length=32)]


class MoveRequest(BaseModel):
    """The body of `POST /api/move`: the id of an image, and strengths of attributes by name."""

    image: str
    strengths: dict[str, Strength]


class RedrawRequest(BaseModel):
    """The body of `POST /api/redraw`: the id of an image, and the levels to draw again, 0 the finest."""

    image: str
    levels: list[int]
    count: Count = 8
    temperature: Temperature = 0.7
    seed: Seed = 0


def create_app(session, *, hosts=LOCAL_HOSTS):
    """Return the FastAPI application over a `DemoSession`.

    Args:
        session: `DemoSession`.
        hosts: host names that requests may carry, so that a foreign page cannot reach a local one by a name of its own;
            `("*",)` allows all.
    """
    app = FastAPI(title="glow_tf", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    add_error_handlers(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    queue = LatestRequestQueue()

    async def compute(work, panel):
        return {"images": [_data_url(image) for image in await queue.run(work, panel)]}

    @app.get("/")
    def index():
        return FileResponse(STATIC / "index.html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    @app.get("/api/model")
    def model():
        return {**session.describe(), "max_bytes": uploads.MAX_BYTES}

    @app.get("/api/attributes")
    def attributes():
        session.directions.start()
        return session.directions.status()

    @app.post("/api/images")
    async def add_image(request: Request, label: int | None = None):
        data, shape = await _read_body(request), session.model.image_shape
        return {"id": await queue.run(lambda: session.add(uploads.read_upload(data, shape), label))}

    @app.get("/api/images/{image_id}")
    def image(image_id: str):
        return Response(png(session.image(image_id)), media_type="image/png")

    @app.post("/api/samples")
    async def samples(body: SamplesRequest, panel: Panel = None):
        return await compute(lambda: session.sample(body.count, body.temperature, body.seed, body.label), panel)

    @app.post("/api/blend")
    async def blend(body: BlendRequest, panel: Panel = None):
        return await compute(lambda: session.blend(body.first, body.second, body.weights), panel)

    @app.post("/api/move")
    async def move(body: MoveRequest, panel: Panel = None):
        return await compute(lambda: session.move(body.image, body.strengths), panel)

    @app.post("/api/redraw")
    async def redraw(body: RedrawRequest, panel: Panel = None):
        work = (body.image, body.levels, body.temperature, body.seed, body.count)
        return await compute(lambda: session.redraw(*work), panel)

    return app


async def _read_body(request):
    """Return the bytes of a request; raise a `DataError` as soon as they are more than a picture may have."""
    declared = request.headers.get("content-length", "0")
    uploads.check_bytes(int(declared) if declared.isdigit() else 0)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        uploads.check_bytes(len(data))
    return bytes(data)


def _data_url(image):
    """Return uint8 `[H, W, C]` as the data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()
