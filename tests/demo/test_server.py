"""Test the page's server at its sockets: slow, half-open and vanished clients, and the signals that end it."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")

from starlette.responses import JSONResponse

from glow_tf.demo import server
from glow_tf.demo.bodies import BoundedRequests
from helpers.commands import environment
from helpers.marks import slow_but

SECONDS = 0.15
"""The bounds on a slow client in these tests."""
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"


@contextlib.contextmanager
def running_server(app):
    """Run the server in a thread; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner = server.make_server(app)
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            runner.should_exit = True
            thread.join()


@pytest.fixture
def short_bounds(monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", SECONDS)
    monkeypatch.setattr(server, "REST_SECONDS", SECONDS)


def read_to_end(connection):
    """Return what a connection gives until the server closes it, and the seconds that took."""
    connection.settimeout(10)
    start, data = time.monotonic(), b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            data += part
    return data, time.monotonic() - start


async def read_and_answer(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await JSONResponse("whole")(scope, receive, send)


@pytest.mark.parametrize(
    ("sent", "answered"),
    [(b"", False), (GET[:20], False), (POST, False), (POST + bytes(99), False), (GET + GET[:20], True)],
    ids=["nothing", "half headers", "no body", "half body", "half headers after an answer"],
)
@pytest.mark.parametrize("drips", slow_but([False], [False, True]))
def test_client_that_does_not_send_its_request_is_closed(short_bounds, sent, answered, drips):
    with running_server(read_and_answer) as address, socket.create_connection(address) as connection:
        for part in (sent[:-3], sent[-3:-2], sent[-2:-1], sent[-1:]) if drips else (sent,):
            connection.sendall(part)
            time.sleep(SECONDS / 6 if drips else 0)
        data, seconds = read_to_end(connection)
    assert (b"whole" in data) == answered
    assert seconds < 4, "the bound of the tests, and not 10 or 60 seconds, ended it"


@pytest.mark.parametrize("parts", slow_but([1], [1, 50]))
def test_client_that_does_not_take_its_answer_is_closed(short_bounds, parts):
    async def answer(_, receive, send):
        await send({"type": "http.response.start", "status": 200})
        for i in range(parts):
            await send({"type": "http.response.body", "body": bytes(50_000_000 // parts), "more_body": i < parts - 1})

    with running_server(answer) as address, socket.create_connection(address) as connection:
        connection.sendall(GET)
        assert connection.recv(1)
        time.sleep(4 * SECONDS)
        data, _ = read_to_end(connection)
    assert len(data) < 40_000_000


@pytest.mark.slow
def test_slow_computation_does_not_count_as_a_slow_client(short_bounds):
    async def answer(scope, receive, send):
        await asyncio.sleep(3 * SECONDS)
        await JSONResponse("late")(scope, receive, send)

    with running_server(answer) as address, socket.create_connection(address) as connection:
        connection.sendall(GET)
        assert b"late" in read_to_end(connection)[0]


def test_more_connections_than_may_be_open_are_closed_at_once(monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    with running_server(read_and_answer) as address, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(address)) for _ in range(3)]
        assert read_to_end(connections[2])[0] == b""
        connections[1].sendall(GET)
        connections[1].settimeout(10)
        assert b"200 OK" in connections[1].recv(1000)


@pytest.mark.parametrize(
    ("sent", "called"), [(GET, True), (POST + bytes(50), False)], ids=["waiting", "during its body"]
)
def test_vanished_client_ends_its_request_without_a_word(sent, called, caplog):
    begun, ended = threading.Event(), threading.Event()

    async def work(*_):
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with running_server(BoundedRequests(work, "/")) as address:
        with socket.create_connection(address) as connection:
            connection.sendall(sent)
            assert begun.wait(5 if called else 0.2) == called
        assert ended.wait(5 if called else 0.2) == called
    assert not caplog.records


def test_refused_upload_is_taken_to_its_end_so_that_browsers_show_the_answer():
    async def refuse(scope, receive, send):
        await JSONResponse("too large", 413)(scope, receive, send)

    length = 5_000_000
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
    with running_server(refuse) as address, socket.create_connection(address) as connection:
        connection.sendall(head + bytes(length))
        connection.sendall(GET)
        connection.settimeout(10)
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")


BUSY_PAGE = """
import asyncio, importlib.util, socket, sys, time
from concurrent.futures import ThreadPoolExecutor

spec = importlib.util.spec_from_file_location("server", sys.argv[1])  # without the package, which imports TensorFlow
server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(server)
server.SHUTDOWN_SECONDS = 0.3
worker = ThreadPoolExecutor(1)

async def app(scope, receive, send):
    if scope["type"] == "http":
        print("begun", flush=True)
        await asyncio.get_running_loop().run_in_executor(worker, time.sleep, 30)

with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    server.serve(app, listener)
"""


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        pytest.param([signal.SIGINT], 130, id="Ctrl-C"),
        pytest.param([signal.SIGTERM], -signal.SIGTERM, id="SIGTERM", marks=pytest.mark.slow),
        pytest.param([signal.SIGINT] * 3, 130, id="Ctrl-C three times", marks=pytest.mark.slow),
    ],
)
def test_signal_during_work_ends_the_server_quietly(signals, code):
    words = [sys.executable, "-c", BUSY_PAGE, server.__file__]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=environment(), stdout=pipe, stderr=pipe, text=True) as process:
        address = ("127.0.0.1", int(process.stdout.readline()))
        with socket.create_connection(address) as waiting, socket.create_connection(address) as half:
            half.sendall(POST)
            waiting.sendall(GET)
            assert process.stdout.readline() == process.stdout.readline() == "begun\n"
            for number in signals:
                process.send_signal(number)
                time.sleep(0.1)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (code, "", "")
