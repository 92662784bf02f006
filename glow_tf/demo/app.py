"""The routes of the page, with FastAPI.

| route | body | answer |
|---|---|---|
| `GET /api/model` | | `DemoSession.describe`, and limits |
| `GET /api/attributes` | | `Directions.status`; the first call starts their computation |
| `POST /api/images` | the bytes of an image file; `?label=` of a conditional model | `{"id", "notes"}` |
| `POST /api/draw` | see `messages` | `{"id"}` of a sample to work on |
| `GET /api/images/{id}` | | the PNG |
| `POST /api/{samples,blend,move,redraw}` | see `messages` | `{"images", "outside", "share"}` |

`images` are PNGs as data URLs, `notes` sentences on what was done to a picture; for `outside` and `share` see
`edits.Pictures`.

A request with the header `X-Panel` is superseded by a newer one with the same (409). Requests of other sites are
refused by `origins`, those that are too large or too slow by `bodies`. Errors: see `error_responses`.
"""

import base64
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles

from glow_tf.demo import messages, uploads
from glow_tf.demo.bodies import BoundedRequests
from glow_tf.demo.error_responses import AsciiJSONResponse, add_error_handlers
from glow_tf.demo.origins import HostRule, OriginGuard
from glow_tf.demo.request_queue import LatestRequestQueue
from glow_tf.pictures import png

if TYPE_CHECKING:
    from glow_tf.demo.edits import Pictures
    from glow_tf.demo.image_store import StoredImage
    from glow_tf.demo.session import DemoSession

STATIC = pathlib.Path(__file__).with_name("static")
UNCACHED = {"Cache-Control": "no-cache"}
"""Headers of what a browser asks for anew: another version, or another run, may have the same address next time."""
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src 'self' data:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
)

Panel = Annotated[str | None, Header(alias="X-Panel", max_length=80)]
Label = Annotated[int | None, Query(ge=0, lt=2**31)]


class UncachedFiles(StaticFiles):
    """Files that a browser asks for anew, with the date of its own copy."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return the response of a file."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(UNCACHED)
        return response


def create_app(session: "DemoSession", *, hosts: HostRule | None = None) -> FastAPI:
    """Return the FastAPI application over a session.

    Args:
        session: the computations behind the routes.
        hosts: the hosts by which requests may address it; None allows this machine's loopback interface.
    """
    app = FastAPI(
        title="glow_tf",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        default_response_class=AsciiJSONResponse,
    )
    app.add_middleware(BoundedRequests, upload_path="/api/images")
    app.add_middleware(OriginGuard, hosts=hosts or HostRule())  # the one added last is asked first
    add_error_handlers(app)
    app.mount("/static", UncachedFiles(directory=STATIC), name="static")
    queue = LatestRequestQueue()

    async def compute(work: Callable[[], "Pictures"], panel: str | None) -> dict[str, Any]:
        return await queue.run(lambda: _answer(work()), panel)

    @app.get("/")
    def index() -> FileResponse:
        headers = {**UNCACHED, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return FileResponse(STATIC / "index.html", headers=headers)

    # Without `response_model=None` FastAPI would take the annotation for a model, and check and copy each answer by it.

    @app.get("/api/model", response_model=None)
    def model() -> dict[str, Any]:
        return {**session.describe(), "max_bytes": uploads.MAX_BYTES}

    @app.get("/api/attributes", response_model=None)
    def attributes() -> dict[str, Any]:
        session.directions.start()
        return session.directions.status()

    @app.post("/api/images", response_model=None)
    async def add_image(request: Request, label: Label = None) -> dict[str, Any]:
        data, shape = await request.body(), session.model.image_shape

        def read() -> "tuple[StoredImage, list[str]]":
            image, notes = uploads.read_upload(data, shape)
            own = session.own_image(image, label)
            return own, [*notes, *filter(None, [session.explain(own)])]

        own, notes = await queue.run(read)
        # Not in the queue, where a computation that has begun runs to its end even if its client has gone.
        return {"id": session.add(own), "notes": notes}

    @app.post("/api/draw", response_model=None)
    async def draw(body: messages.DrawRequest) -> dict[str, Any]:
        return {"id": session.add(await queue.run(lambda: session.draw(body.temperature, body.seed, body.label)))}

    @app.get("/api/images/{image_id}")
    def image(image_id: str) -> Response:
        return Response(png(session.image(image_id)), headers=UNCACHED, media_type="image/png")

    @app.post("/api/samples", response_model=None)
    async def samples(body: messages.SamplesRequest, panel: Panel = None) -> dict[str, Any]:
        return await compute(lambda: session.sample(body.count, body.temperature, body.seed, body.label), panel)

    @app.post("/api/blend", response_model=None)
    async def blend(body: messages.BlendRequest, panel: Panel = None) -> dict[str, Any]:
        return await compute(lambda: session.blend(body.first, body.second, body.weights), panel)

    @app.post("/api/move", response_model=None)
    async def move(body: messages.MoveRequest, panel: Panel = None) -> dict[str, Any]:
        return await compute(lambda: session.move(body.image, body.strengths), panel)

    @app.post("/api/redraw", response_model=None)
    async def redraw(body: messages.RedrawRequest, panel: Panel = None) -> dict[str, Any]:
        work = (body.image, body.levels, body.temperature, body.seed, body.count)
        return await compute(lambda: session.redraw(*work), panel)

    return app


def _answer(pictures: "Pictures") -> dict[str, Any]:
    """Return the answer that holds pictures."""
    return {
        "images": [_data_url(image) for image in pictures.images],
        "outside": np.flatnonzero(pictures.outside).tolist(),
        "share": pictures.share,
    }


def _data_url(image: np.ndarray) -> str:
    """Return uint8 `[H, W, C]` as the data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()
