"""Hosts and origins, as raw requests say them; `test_browser.py` has a real browser say them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jobs.auth import Scope, new_key
from jobs.settings import Settings, SettingsError
from tests.api.conftest import SPEC, Service, serving

PAGE = "https://dash.example.org"
# what Chromium says when a page of another site sends a form or fetches
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ROUTES = [
    ("GET", "/jobs"), ("POST", "/jobs"), ("POST", "/datasets?name=x"), ("POST", "/models?name=x"), ("POST", "/uploads"),
    ("POST", "/jobs/job_0/cancel"), ("DELETE", "/jobs/job_0"), ("PATCH", "/uploads/x"), ("GET", "/docs"),
    ("GET", "/openapi.json"), ("GET", "/nothing"), ("OPTIONS", "/jobs"),
]  # fmt: skip


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Without keys, with a host and an origin in its settings."""
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), broker_url="memory://", allow_open=True,
        allowed_hosts="KD.Example.org, *.apps.example.org,10.0.0.5,", allowed_origins=PAGE,
    )  # fmt: skip
    with serving(settings) as running:
        yield running


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With a key, which its client sends, and an origin in its settings."""
    key, entry = new_key("vision", [Scope.READ, Scope.SUBMIT])
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), broker_url="memory://", api_keys=[entry], allowed_origins=[PAGE]
    )
    with serving(settings) as running:
        running.client.headers["Authorization"] = f"Bearer {key}"
        yield running


def refused(answer: httpx.Response, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (403, code), answer.text
    detail: str = answer.json()["detail"]
    return detail


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "127.8.9.10:1", "localhost", "LocalHost:3", "localhost.:8000", "localhost:",
     "kd.localhost:8000", "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]"],
)  # fmt: skip
def test_loopback_names_are_taken(client: httpx.Client, host: str) -> None:
    assert client.get("/usage", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "192.168.1.5", "0.0.0.0:8000", "[::]", "[2001:db8::1]",
     "127.0.0.1.evil.example", "localhost.evil.example", "evillocalhost", "localhost@evil.example", "localhost:8000:1",
     "localhost:x", "[::1", "localhost, evil.example", "localhost/", "", ".", "[127.0.0.1]x",
     "127.0.0.\xb9"],
)  # fmt: skip
def test_no_other_host_is(client: httpx.Client, host: str) -> None:
    detail = refused(client.get("/usage", headers=[(b"Host", host.encode("latin-1"))]), "host_not_allowed")
    assert "KD_ALLOWED_HOSTS" in detail
    assert "http://localhost" in detail


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_looks_at_host_and_origin(client: httpx.Client, method: str, path: str) -> None:
    assert "'evil.example'" in refused(
        client.request(method, path, headers={"Host": "evil.example"}), "host_not_allowed"
    )
    foreign = client.request(method, path, headers={"Origin": "https://evil.example"})
    assert "'https://evil.example'" in refused(foreign, "origin_not_allowed")
    refused(client.request(method, path, headers=CROSS_SITE), "origin_not_allowed")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_never_looks_at_the_host(client: httpx.Client, path: str) -> None:
    expected = client.get(path).status_code
    assert client.get(path, headers={"Host": "api:8000"}).status_code == expected
    refused(client.get(path, headers={"Origin": "https://evil.example"}), "origin_not_allowed")


def test_nothing_is_done_for_a_page_of_elsewhere(own_service: Service) -> None:
    """What browsers send without asking first: a form, or a fetch of a simple type."""
    kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
    for path in ("/datasets?name=x&format=npz", "/models?name=x", "/uploads", "/jobs"):
        for kind in kinds:
            headers = CROSS_SITE | {"Origin": "null"} | ({"Content-Type": kind} if kind else {})
            refused(own_service.client.post(path, headers=headers, content=b"PK"), "origin_not_allowed")
    assert own_service.client.get("/jobs").json()["jobs"] == []
    assert own_service.files() == []


@pytest.mark.parametrize(
    "origin",
    ["null", "http://127.0.0.1", "http://127.0.0.1:{other}", "http://localhost:{port}", "file://", "",
     "http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}/", "ftp://127.0.0.1:{port}",
     "chrome-extension://abcdefghijklmnop", "http://x@127.0.0.1:{port}"],
)  # fmt: skip
def test_origins_that_are_not_its_own(service: Service, origin: str) -> None:
    text = origin.format(port=service.port, other=service.port - 1)
    refused(service.client.get("/usage", headers={"Origin": text}), "origin_not_allowed")


def test_its_own_pages_curl_and_links_from_elsewhere(service: Service) -> None:
    own = f"http://127.0.0.1:{service.port}"
    client = service.client
    assert client.post("/jobs", json=SPEC).status_code == 201
    assert client.post("/jobs", json=SPEC, headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}).status_code == 201
    assert client.get("/usage", headers={"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert client.get("/usage", headers={"Host": "localhost:9", "Origin": "http://LOCALHOST:9"}).status_code == 200
    # a proxy on this machine speaks TLS for it
    assert client.get("/usage", headers={"Host": "localhost", "Origin": "https://localhost"}).status_code == 200
    # the user follows a link in a message; a frame, a picture or a form is not that
    assert client.get("/usage", headers=LINK).status_code == 200
    refused(client.get("/usage", headers=LINK | {"Sec-Fetch-Dest": "iframe"}), "origin_not_allowed")
    refused(client.get("/usage", headers=LINK | {"Origin": "null"}), "origin_not_allowed")
    refused(client.post("/jobs", json=SPEC, headers=LINK), "origin_not_allowed")
    # another port of this machine is the same site, and another's page
    refused(client.get("/usage", headers=CROSS_SITE | {"Sec-Fetch-Site": "same-site"}), "origin_not_allowed")


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        (b"GET /usage HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", {400, 403}),
        (b"GET /usage HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", {400, 403}),
        (b"GET /usage HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n", {400, 403}),
        (b"GET /usage HTTP/1.1\r\n", {400, 403}),
        (b"GET /usage HTTP/1.0\r\n", {400, 403}),
        (b"GET http://localhost/usage HTTP/1.1\r\nHost: evil.example\r\n", {400, 403}),
        (b"GET /usage HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: null\r\n", {403}),
        (b"GET /usage HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Site: none\r\n", {403}),
        (b"GET /usage HTTP/1.1\r\nhOsT:  localhost:80 \r\n", {200}),
        (b"GET /usage HTTP/1.0\r\nHost: localhost\r\n", {200}),
    ],
)  # fmt: skip
def test_heads_that_no_client_library_writes(service: Service, head: bytes, statuses: set[int]) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert int(answer.split(b" ", 2)[1]) in statuses, answer


def test_hosts_and_origins_of_the_settings(listing: Service) -> None:
    for host in ("KD.example.org.:443", "x.apps.example.org", "a.b.apps.example.org:1", "10.0.0.5:8000", "localhost"):
        assert listing.client.get("/usage", headers={"Host": host}).status_code == 200
    for host in ("example.org", "x.kd.example.org", "apps.example.org", "10.0.0.6"):
        refused(listing.client.get("/usage", headers={"Host": host}), "host_not_allowed")
    foreign = {"Host": "kd.example.org", "Origin": "https://kd.example.org.evil.example"}
    refused(listing.client.get("/usage", headers=foreign), "origin_not_allowed")
    own = {"Host": "kd.example.org", "Origin": "https://kd.example.org"}
    assert listing.client.get("/usage", headers=own).status_code == 200


def test_a_page_that_the_settings_name_can_use_the_api(listing: Service) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,idempotency-key"}
    preflight = listing.client.options("/jobs", headers=CROSS_SITE | {"Origin": PAGE} | asks)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"]
    made = listing.client.post("/jobs", json=SPEC, headers=CROSS_SITE | {"Origin": PAGE})
    assert made.status_code == 201
    assert made.headers["access-control-allow-origin"] == PAGE
    assert "Location" in made.headers["access-control-expose-headers"]
    missing = listing.client.get("/jobs/job_0", headers={"Origin": PAGE})
    assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, PAGE)
    # caches must not show one page what was meant for another
    assert "Origin" in listing.client.get("/usage").headers["vary"]
    for origin in (PAGE.upper(), PAGE + ":444", "http://dash.example.org"):
        refused(listing.client.options("/jobs", headers={"Origin": origin} | asks), "origin_not_allowed")


def test_with_keys_the_key_decides(keyed: Service) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, CROSS_SITE):
        answer = keyed.client.get("/usage", headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    # a browser sends no key with a preflight
    for origin, status in ((PAGE, 200), ("https://evil.example", 401)):
        with httpx.Client(base_url=keyed.client.base_url) as browser:
            answer = browser.options("/usage", headers={"Origin": origin} | asks)
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (status, status == 200)
    assert keyed.client.get("/usage", headers={"Origin": PAGE}).headers["access-control-allow-origin"] == PAGE


def test_with_keys_and_hosts_those_alone(tmp_path: Path) -> None:
    key, entry = new_key("vision", [Scope.READ])
    settings = Settings(home=tmp_path, broker_url="memory://", api_keys=[entry], allowed_hosts="kd.example.org")
    with serving(settings) as service, service.caller(key) as client:
        assert client.get("/usage", headers={"Host": "kd.example.org:8443"}).status_code == 200
        refused(client.get("/usage"), "host_not_allowed")
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("hosts", "https://kd.example.org", "without scheme"), ("hosts", "a, kd.example.org:80", r"\[1\].*without scheme"),
     ("hosts", "kd.example.org/x", "without scheme"), ("hosts", "*example.org", "without scheme"),
     ("origins", "*", "each is named"), ("origins", "null", "each is named"),
     ("origins", "kd.example.org", "each is named"), ("origins", "https://kd.example.org/x", "each is named"),
     ("origins", "https://kd.example.org:99999", "range")],
)  # fmt: skip
def test_settings_that_name_no_host_or_origin(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    variable = f"KD_ALLOWED_{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"{variable}.*{says}"):
        Settings()


def test_settings_are_written_in_many_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_ALLOWED_HOSTS", " KD.example.org., *.B.org ,[::1],10.0.0.5,* ")
    monkeypatch.setenv("KD_ALLOWED_ORIGINS", "HTTPS://Dash.example.org:443/,http://localhost:3000,http://[::1]:80")
    settings = Settings()
    assert settings.allowed_hosts == ("kd.example.org", "*.b.org", "::1", "10.0.0.5", "*")
    assert settings.allowed_origins == ("https://dash.example.org", "http://localhost:3000", "http://[::1]")
