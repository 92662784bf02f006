"""Test that bodies are bounded before they are in memory, and that nothing is computed for a client that has gone."""

import asyncio

import pytest

pytest.importorskip("fastapi", reason="the page's extra: pip install 'glow_tf[demo]'")

from starlette.responses import JSONResponse

from glow_tf.demo import bodies
from glow_tf.demo.bodies import MAX_JSON_BYTES, MAX_UPLOADS, BoundedRequests
from helpers.asgi import DISCONNECT, END, ask


async def echo(scope, receive, send):
    """Answer with the number of bytes of the body."""
    await JSONResponse({"bytes": len((await receive())["body"])})(scope, receive, send)


@pytest.fixture
def app(monkeypatch):
    """Bound `echo`, with an upload limit of 100 kB for speed."""
    monkeypatch.setattr(bodies, "MAX_BYTES", 100_000)
    return BoundedRequests(echo, "/api/images", seconds=5.0)


def post(app, *messages, **options):
    return asyncio.run(ask(app, *messages, **options))


@pytest.mark.parametrize(("path", "limit"), [("/api/images", 100_000), ("/api/samples", MAX_JSON_BYTES)])
def test_body_is_handed_on_whole_up_to_its_limit(app, path, limit):
    half = bytes(limit // 2)
    assert post(app, half, half, END, path=path)[2] == {"bytes": limit}
    status, _, values = post(app, half, half, b"x", path=path)  # and not read on
    assert status == 413 and "more than" in values["error"]


def test_declared_length_over_the_limit_is_refused_unread(app):
    assert post(app, headers=[("Content-Length", "100001")])[0] == 413
    assert post(app, headers=[("Content-Length", "9" * 5000)])[0] == 413


@pytest.mark.parametrize("length", ["5", "0", "-3", "²", "many", ""])
def test_length_that_lies_does_not_lift_the_limit(app, length):
    headers = [("Content-Length", length)]
    assert post(app, b"12345678", END, headers=headers)[2] == {"bytes": 8}
    assert post(app, bytes(60_000), bytes(60_000), headers=headers)[0] == 413


def test_body_that_does_not_come_is_refused(app):
    app.seconds = 0.05
    status, headers, values = post(app, b"half")
    assert status == 408 and headers["connection"] == "close" and "within 0.05 seconds" in values["error"]


def test_one_more_upload_than_are_held_is_refused_at_once_and_unread():
    async def scenario():
        release = asyncio.Event()

        async def wait(*request):
            await release.wait()
            await echo(*request)

        app = BoundedRequests(wait, "/api/images")
        uploads = [asyncio.create_task(ask(app, END)) for _ in range(MAX_UPLOADS)]
        await asyncio.sleep(0.01)
        status, headers, values = await ask(app)
        assert status == 503 and headers["retry-after"] == "1" and values["error"].endswith(".")
        release.set()
        assert [status for status, *_ in await asyncio.gather(*uploads)] == [200] * MAX_UPLOADS
        assert (await ask(app, END))[0] == 200, "their places are free again"

    asyncio.run(scenario())


def test_client_that_goes_during_its_body_is_not_handed_on():
    async def fail(*_):
        raise AssertionError("the application was called")

    assert post(BoundedRequests(fail, "/api/images"), b"half", DISCONNECT) == (None, {}, None)


def test_work_for_a_client_that_goes_is_cancelled():
    ended = []

    async def work(*_):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    assert post(BoundedRequests(work, "/api/images"), END, DISCONNECT) == (None, {}, None)
    assert ended == ["cancelled"]


def test_work_after_the_answer_goes_on_though_the_client_goes():
    ended = []

    async def work(scope, receive, send):
        await echo(scope, receive, send)
        await asyncio.sleep(0.01)
        ended.append("done")

    assert post(BoundedRequests(work, "/api/images"), END, DISCONNECT)[0] == 200
    assert ended == ["done"]


def test_error_of_the_application_is_handed_on():
    async def fail(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        post(BoundedRequests(fail, "/api/images"), END)
