"""Test which hosts and origins requests to the page may name."""

import re

import pytest

pytest.importorskip("fastapi", reason="the page's extra: pip install 'glow_tf[demo]'")

from fastapi.testclient import TestClient
from starlette.responses import JSONResponse

from glow_tf.demo.app import STATIC, create_app
from glow_tf.demo.origins import HostRule, OriginGuard, host_rule, is_loopback

LOOPBACK_HOSTS = ("127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LocalHost", "[::1]:8000", "[::1]", "127.0.0.2:80")
FOREIGN_HOSTS = (
    "elsewhere.example",
    "elsewhere.example:8000",
    "192.168.1.5:8000",
    "0.0.0.0:8000",
    "127.0.0.1.elsewhere.example",
    "localhost.elsewhere.example",
    "localhost@elsewhere.example",
    "elsewhere.example@localhost",
    "localhost:elsewhere.example",
    "localhost/elsewhere",
    "[::2]",
    "::1",
    "[::1",
    "localhost:",
    "",
)


@pytest.fixture(scope="module")
def guarded():
    return TestClient(OriginGuard(JSONResponse({}), HostRule()), base_url="http://localhost:8000")


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
@pytest.mark.parametrize("listening", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_loopback_server_answers_to_every_loopback_host(host, listening):
    assert host_rule(listening, {"localhost": "127.0.0.1"}.get(listening, listening)).allows(host)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("listening", ["127.0.0.1", "::1", "127.0.0.2"])
def test_loopback_server_answers_to_no_other_host(host, listening):
    assert not host_rule(listening, listening).allows(host)


def test_server_of_another_address_answers_to_that_address_and_name():
    rule = host_rule("MyBox", "192.168.1.5")
    assert all(map(rule.allows, ("mybox:8000", "192.168.1.5:8000")))
    assert not any(map(rule.allows, ("elsewhere.example", "192.168.1.6:8000", "mybox.elsewhere.example")))
    assert host_rule("fe80::1%eth0", "fe80::1%eth0").allows("[fe80::1]:8000")


@pytest.mark.parametrize("listening", ["0.0.0.0", "::"])
def test_server_of_all_addresses_answers_to_every_address_and_its_own_names(listening, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "MyBox")
    monkeypatch.setattr("socket.getfqdn", lambda: "MyBox.lab.example")
    rule = host_rule(listening, listening)
    assert rule.allows("mybox.lab.example:8000") and not rule.allows("otherbox.lab.example:8000")
    assert all(map(rule.allows, ("192.168.1.5:8000", "[2001:db8::1]:8000", "mybox", "mybox.local:8000", "localhost")))
    assert not rule.allows("elsewhere.example:8000")


def test_only_loopback_addresses_are_called_so():
    assert all(map(is_loopback, ("127.0.0.1", "127.0.0.2", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.5", "fe80::1%eth0")))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8000"}, 200),
        ({"Origin": "http://LOCALHOST:8000"}, 200),
        ({"Origin": "http://localhost:8001"}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "http://localhost:8000.elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "elsewhere.example", "Origin": "http://elsewhere.example"}, 400),
        ({"Host": "elsewhere.example", "Sec-Fetch-Site": "same-origin"}, 400),
        ({"Host": "[::1]:8000", "Origin": "http://[::1]:8000"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_requests_of_other_sites_are_refused(guarded, method, headers, status):
    answer = guarded.request(method, "/api/images", headers=headers, content=b"text" if method == "POST" else None)
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"].endswith(".")


def test_link_on_another_site_opens_the_page(guarded):
    assert guarded.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert guarded.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_page_is_guarded():
    client = TestClient(create_app(None), base_url="http://localhost")
    assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400
    answer = client.post("/api/images", content=b"", headers={"Origin": "null", "Content-Type": "text/plain"})
    assert answer.status_code == 403
    assert client.get("/").status_code == 200


def test_page_works_below_any_path():
    """A proxy such as Jupyter's serves it at /proxy/8000/, where addresses from the root lead elsewhere."""
    paths = [path for path in STATIC.iterdir() if path.suffix in (".html", ".js", ".css")]
    assert len(paths) == 9
    for path in paths:
        assert not re.findall(r"[\"`'(]/(?:api|static)\b.*", path.read_text()), path.name
