"""What is sent again, and what is not, against a server that refuses as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from distillery import Distillery
from distillery.errors import InternalError, InvalidSpec, OverQuota, Unavailable


class Refusing(BaseHTTPRequestHandler):
    """Answers with the statuses that are waiting, then with an empty list of models."""

    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers.get("Idempotency-Key", "")))
        status, code, headers = self.server.refusals.pop(0) if self.server.refusals else (200, "", {})
        body: dict[str, Any] = {"code": code, "detail": "not now"} if code else {"models": [], "next_page_token": None}
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Refusing)
        self.refusals: list[tuple[int, str, dict[str, str]]] = []
        self.asked: list[tuple[str, str, str]] = []


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[Distillery]:
    with Distillery(f"http://127.0.0.1:{server.server_port}", patience=30) as made:
        yield made


def test_what_is_refused_for_now_is_asked_again_and_a_long_pause_is_told(
    server: Server, client: Distillery, caplog: pytest.LogCaptureFixture
) -> None:
    server.refusals = [(429, "over_quota", {}), (503, "too_many_uploads", {"Retry-After": "1"}), (502, "", {})]

    assert list(client.models.list()) == []
    assert len(server.asked) == 4
    assert [record.message for record in caplog.records] == ["GET /models: not now; trying again in 1 s"]


def test_the_same_key_comes_with_the_same_job(server: Server, client: Distillery) -> None:
    server.refusals = [(503, "database_unavailable", {}), (422, "invalid_spec", {})]

    with pytest.raises(InvalidSpec):
        client.jobs.run(dataset="digits")
    with pytest.raises(Exception, match="is this the right address"):
        client.jobs.run(dataset="digits")
    (first, again, other) = (key for _, _, key in server.asked)
    assert first == again != other


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((500, "internal_error", {}), InternalError),
        ((429, "over_quota", {"Retry-After": "3600"}), OverQuota),  # longer than the client's patience
        ((503, "closed_for_today", {"Retry-After": "3600"}), Unavailable),
    ],
)
def test_what_will_not_help_is_not_tried(
    refusal: tuple[int, str, dict[str, str]], error: type[Exception], server: Server, client: Distillery
) -> None:
    server.refusals = [refusal]

    with pytest.raises(error, match="not now"):
        list(client.models.list())
    assert len(server.asked) == 1


def test_what_may_have_happened_is_not_sent_again_where_twice_is_once_too_often(
    server: Server, client: Distillery
) -> None:
    server.refusals = [(502, "", {})]

    with pytest.raises(Unavailable):
        client.models.keep("job_1")
    assert len(server.asked) == 1
