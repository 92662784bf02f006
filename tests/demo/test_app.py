"""Test the routes of the page, and the errors of the command that opens it."""

import asyncio
import base64
import io
import sys
import threading
import time
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from PIL import Image

import glow_tf.demo
from glow_tf.cli import demo
from glow_tf.errors import GlowError
from glow_tf.extras import optional_packages
from helpers.asgi import END, ask
from helpers.commands import call
from helpers.uploads import INVALID_FILES, encode_image

for _package in ("fastapi", "uvicorn", "httpx"):
    pytest.importorskip(_package, reason="the page's extras: pip install 'glow_tf[demo,dev]'")

from fastapi.testclient import TestClient  # noqa: E402

from glow_tf.demo.app import STATIC, create_app  # noqa: E402
from glow_tf.demo.request_queue import LatestRequestQueue, QueueFullError, SupersededError  # noqa: E402


@pytest.fixture(scope="module")
def client(session):
    return TestClient(create_app(session), base_url="http://127.0.0.1")


def pictures(answer):
    assert answer.status_code == 200, answer.text
    urls = answer.json()["images"]
    parts = [base64.b64decode(url.removeprefix("data:image/png;base64,")) for url in urls]
    return np.stack([np.asarray(Image.open(io.BytesIO(p)).convert("L")) for p in parts])[..., None]


def test_demo_page_loads_nothing_from_other_hosts(client):
    text = client.get("/").text
    assert client.get("/").headers["content-security-policy"].startswith("default-src 'self'")
    for name in [path.name for path in STATIC.iterdir()]:
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200 and "http" not in answer.text.replace("HTTP", ""), name
    assert "https:" not in text and "http:" not in text


def test_browser_asks_anew_for_what_another_version_or_run_has_at_the_same_address(client):
    for path in ("/", "/static/page.js", "/api/images/test-0"):
        assert client.get(path).headers["cache-control"] == "no-cache", path
    stamp = client.get("/static/page.js").headers["etag"]
    assert client.get("/static/page.js", headers={"If-None-Match": stamp}).status_code == 304


def test_demo_model_and_image_routes(client, session):
    description = client.get("/api/model").json()
    assert description["image_shape"] == [8, 8, 1] and description["latent_shapes"] == [[4, 4, 2], [2, 2, 8]]
    answer = client.get(f"/api/images/{description['test_images'][3]}")
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(answer.content)))[..., 0], session.image("test-3")[..., 0]
    )


def test_demo_panel_routes_match_the_session(client, session):
    images = pictures(client.post("/api/samples", json={"count": 4, "temperature": 0.5, "seed": 2}))
    np.testing.assert_array_equal(images, session.sample(4, 0.5, 2).images)
    body = {"first": "test-0", "second": "test-1", "weights": [0, 0.3, 1]}
    np.testing.assert_array_equal(
        pictures(client.post("/api/blend", json=body)), session.blend("test-0", "test-1", [0, 0.3, 1]).images
    )
    body = {"image": "test-0", "levels": [1], "count": 2, "temperature": 0.5, "seed": 1}
    np.testing.assert_array_equal(
        pictures(client.post("/api/redraw", json=body)), session.redraw("test-0", [1], 0.5, 1, 2).images
    )
    name = client.post("/api/draw", json={"temperature": 0.5, "seed": 2}).json()["id"]
    np.testing.assert_array_equal(session.image(name), session.sample(1, 0.5, 2).images[0])
    assert client.get("/api/attributes").json()["state"] in ("computing", "ready")
    session.directions.wait()
    assert client.get("/api/attributes").json()["names"] == list("0123456789")
    strengths = {"0": 0.5, "8": 1.0}
    images = pictures(client.post("/api/move", json={"image": "test-0", "strengths": strengths}))
    np.testing.assert_array_equal(images, session.move("test-0", strengths).images)
    answer = client.post("/api/move", json={"image": "test-0", "strengths": strengths}).json()
    assert (answer["share"], answer["outside"]) == (1, [])


def test_uploaded_image_is_quantized_and_stored(client, session):
    image = np.random.default_rng(1).integers(0, 256, (8, 8), np.uint8)
    answer = client.post("/api/images", content=encode_image(image)).json()
    name = answer["id"]
    assert all(sentence.startswith("This picture is far") for sentence in answer["notes"]), "of the model's own shape"
    np.testing.assert_array_equal(session.image(name)[..., 0], image // 16 * 16)


@pytest.mark.parametrize("name", INVALID_FILES)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_upload_route_rejects_invalid_files(name, client):
    data, status, part = INVALID_FILES[name]
    answer = client.post("/api/images", content=data)
    assert answer.status_code == status and part in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "status", "part"),
    [
        ("samples", {"temperature": 3}, 422, "temperature: input should be less than or equal to 2"),
        ("samples", {"count": 1000}, 422, "count: input should be"),
        ("samples", {"label": 1}, 422, "class: this model is unconditional"),
        ("samples", [], 422, "request: input should be"),
        ("blend", {"first": "own-1", "second": "test-0", "weights": [0]}, 404, "no longer stored here"),
        ("blend", {"first": "test-0", "second": "test-0", "weights": []}, 422, "weights: list should have"),
        ("redraw", {"image": "test-0", "levels": [9]}, 422, "levels: expected 0 to 1, got 9"),
        ("nothing", {}, 404, "Not Found."),
        ("samples", {"temperature": "0.5"}, 422, "temperature: input should be a valid number"),
        ("samples", {"temperature": True}, 422, "temperature: input should be a valid number"),
        ("samples", {"seed": 2**80}, 422, "seed: input should be less than 2147483648"),
        ("samples", {"seed": 1.5}, 422, "seed: input should be a valid integer"),
        ("samples", {"temprature": 0.5}, 422, "temprature: extra inputs are not permitted"),
        ("redraw", {"image": "test-0", "levels": [2**80]}, 422, "levels.0: input should be less than"),
        ("redraw", {"image": "test-0", "levels": [-1]}, 422, "levels.0: input should be greater than or equal to 0"),
        ("redraw", {"image": "test-0", "levels": [0] * 999}, 422, "levels: list should have at most 64 items"),
        ("move", {"image": "test-0", "strengths": {"3": None}}, 422, "strengths.3: input should be a valid number"),
        ("move", {"image": "test-0", "strengths": {"x" * 999: 1}}, 422, "at most 200 characters"),
        ("samples", {"padding": "x" * 70_000}, 413, "more than 64 kB"),
        ("images?label=9" + "9" * 30, {}, 422, "label: input should be"),
        ("images?label=nan", {}, 422, "label: input should be a valid integer"),
    ],
)
def test_demo_rejects_invalid_requests_with_a_status_and_a_message(client, path, body, status, part):
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == status and part in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "part"),
    [
        ("samples", b'{"temperature": NaN}', "temperature: input should be"),
        ("samples", b'{"temperature": 1e999}', "temperature: input should be"),
        ("blend", b'{"first": "test-0", "second": "test-0", "weights": [-Infinity]}', "weights.0: input should be"),
        ("move", b'{"image": "test-0", "strengths": {"3": NaN}}', "strengths.3: input should be"),
        ("move", b'{"image": "test-0", "strengths": {"\\ud800": 1}}', "input should be a valid string"),
        ("blend", b'{"first": "\\ud800", "second": "test-0", "weights": [0]}', "first: input should be a valid string"),
        ("samples", b'{"\\ud800": 1}', "request: input should be a valid string"),
        ("samples", b'{"seed": ' + b"9" * 5000 + b"}", "parsing the body"),
        ("samples", b'{"seed": ' + b"[" * 30_000, "pars"),
        ("samples", b'{"seed": ' + b"[" * 500 + b"]" * 500 + b"}", "seed: input should be a valid integer"),
        ("samples", b'{"seed": ', "request: expected JSON, which this is not from character 9 on."),
        ("samples", b'{"seed": "\xff"}', "parsing the body"),
        ("samples", b"", "request: field required"),
    ],
)
def test_demo_rejects_values_that_are_no_numbers_and_bodies_that_are_no_json(client, path, body, part):
    answer = client.post(f"/api/{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert part in answer.json()["error"] and answer.json()["error"].endswith(".")


def test_demo_answers_with_names_that_have_no_utf8(session, monkeypatch):
    monkeypatch.setattr(session, "name", "run-\udcff")
    client = TestClient(create_app(session), base_url="http://127.0.0.1")
    assert client.get("/api/model").json()["name"] == "run-\udcff"


@pytest.mark.parametrize("path", ["/static/%00", "/static/" + "x" * 5000, "/static/../app.py", "/api/images/%00"])
def test_demo_answers_404_to_paths_that_name_no_file(client, path):
    assert client.get(path).status_code == 404


def test_demo_reports_an_internal_error_with_status_500(session, monkeypatch):
    monkeypatch.setattr(session, "sample", lambda *_: 1 / 0)
    client = TestClient(create_app(session), base_url="http://127.0.0.1", raise_server_exceptions=False)
    answer = client.post("/api/samples", json={})
    assert answer.status_code == 500 and "ZeroDivisionError" in answer.json()["error"]


def test_only_the_newest_request_of_a_panel_is_computed():
    async def scenario():
        queue, done = LatestRequestQueue(max_waiting=3), []

        def work(i):
            time.sleep(0.05)
            done.append(i)

        first = asyncio.create_task(queue.run(lambda: work(0), "a"))
        await asyncio.sleep(0.01)
        rest = [asyncio.create_task(queue.run(lambda i=i: work(i), who)) for i, who in ((1, "a"), (2, "b"), (3, "a"))]
        await asyncio.sleep(0.01)
        with pytest.raises(QueueFullError):
            await queue.run(lambda: work(4), "c")
        results = await asyncio.gather(first, *rest, return_exceptions=True)
        assert [type(r) for r in results] == [type(None), SupersededError, type(None), type(None)]
        await queue.run(lambda: work(5))
        assert done == [0, 2, 3, 5] and not queue._newest

    asyncio.run(scenario())


def test_cancelled_request_is_not_computed_and_leaves_its_place():
    async def scenario():
        queue, done = LatestRequestQueue(max_waiting=1), []

        def work(i):
            time.sleep(0.05)
            done.append(i)

        running = asyncio.create_task(queue.run(lambda: work(0)))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(queue.run(lambda: work(1), "a"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        running.cancel()  # its computation goes on
        next_one = asyncio.create_task(queue.run(lambda: work(2)))
        await next_one
        assert done == [0, 2] and not queue._newest and not queue._waiting

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "work", "body"),
    [("/api/images", "explain", encode_image(np.full((8, 8), 32, np.uint8))), ("/api/draw", "draw", b"{}")],
    ids=["upload", "sample"],
)
def test_image_of_a_request_that_is_given_up_in_its_computation_is_not_stored(session, monkeypatch, path, work, body):
    compute, begun, given_up, stored = getattr(session, work), threading.Event(), threading.Event(), []

    def computed_late(*arguments):
        begun.set()
        assert given_up.wait(5)
        return compute(*arguments)

    async def scenario():
        headers = [("Host", "127.0.0.1"), ("Content-Type", "application/json")]
        app = create_app(session)
        request = asyncio.create_task(ask(app, body, END, path=path, headers=headers))
        await asyncio.to_thread(begun.wait, 5)
        request.cancel()
        given_up.set()
        await asyncio.wait({request})
        assert request.cancelled()
        assert (await ask(app, b"{}", END, path="/api/draw", headers=headers))[0] == 200, "after the first computation"

    monkeypatch.setattr(session, work, computed_late)
    monkeypatch.setattr(session.images, "add", lambda *_: stored.append(path) or "own-1")
    asyncio.run(scenario())
    assert len(stored) == 1


def test_demo_rejects_an_unusable_port_or_host():
    with demo.listen("127.0.0.1", 0) as taken:
        with pytest.raises(GlowError, match=f"port {taken.getsockname()[1]} .*in use.*choose another --port"):
            demo.listen("127.0.0.1", taken.getsockname()[1])
    for host, port in (("127.0.0.1", 99_999), ("203.0.113.77", 0)):
        with pytest.raises(GlowError, match="cannot listen at"):
            demo.listen(host, port)


@pytest.mark.parametrize(
    ("host", "allowed", "warns"),
    [("127.0.0.1", "[::1]:8000", False), ("localhost", "127.0.0.1", False), ("0.0.0.0", "192.168.1.5:8000", True)],
)
def test_demo_command_guards_its_hosts_and_warns_of_other_machines(monkeypatch, recwarn, host, allowed, warns):
    apps = []
    monkeypatch.setattr("glow_tf.demo.session.open_session", lambda *_, **__: SimpleNamespace(compiled=mock.Mock()))
    monkeypatch.setattr("glow_tf.demo.server.serve", lambda app, _: apps.append(app))
    call(demo.main, demo.NAME, "faces", "--host", host, "--port", "0", "--no-browser")
    sentence = f"other machines that reach {host} can use the page too, and it asks for no password."
    assert [str(w.message) for w in recwarn if "machines" in str(w.message)] == [sentence] * warns
    client = TestClient(apps[0], base_url="http://localhost")
    assert client.get("/", headers={"Host": allowed}).status_code == 200
    assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_demo_names_a_missing_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "glow_tf.demo.server", raising=False)
    monkeypatch.delattr(glow_tf.demo, "server", raising=False)
    with pytest.raises(GlowError, match=r"needs the package uvicorn: pip install '.*\[demo\]'"):
        with optional_packages():  # as `run_command` does
            demo.main(["run"])
