"""What a stranger may cost before it is known who asks. The limits are short here, so that the tests are."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from api.server.limits import Limits
from jobs.settings import Settings
from tests.api.conftest import SPEC, Service, serving

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SHORT = Limits(head_seconds=0.5, pace_seconds=0.6, pace_bytes=1000, linger_seconds=0.5)
CONNECTIONS = 40


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), broker_url="memory://", max_connections=CONNECTIONS)
    with serving(settings, SHORT) as running:
        yield running


@pytest.fixture
def connection(short: Service) -> Iterator[socket.socket]:
    with _connect(short) as opened:
        yield opened


def _connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def _rest(connection: socket.socket) -> bytes:
    """All that still comes, until the server closes the connection."""
    received = b""
    try:
        while more := connection.recv(2**16):
            received += more
    except ConnectionResetError:
        pass
    return received


def _problem(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    problem: dict[str, Any] = json.loads(body)
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert int(head.split()[1]) == problem["status"]
    return problem["status"], problem["code"]


FILLED = [
    (HEAD + b"X: " + b"a" * 2**16, (431, "header_too_large")),
    (HEAD + b"X" * 2**16, (431, "header_too_large")),
    (HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)), (431, "header_too_large")),
    (HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n", (431, "header_too_large")),
    (b"GET /" + b"a" * 2**16, (414, "uri_too_long")),
    (b"\r\n" * 2**15 + HEAD, (431, "header_too_large")),
    (b"HELLO\r\n\r\n", (400, "malformed_request")),
]


@pytest.mark.parametrize(("sent", "answer"), FILLED, ids=lambda value: repr(value)[:30])
def test_a_head_without_an_end(connection: socket.socket, sent: bytes, answer: tuple[int, str]) -> None:
    connection.sendall(sent)
    assert _problem(_rest(connection)) == answer


@pytest.mark.parametrize("together", [True, False])
def test_a_head_up_to_the_limit_is_read(connection: socket.socket, together: bool) -> None:
    head = HEAD + b"X: " + b"a" * (2**16 - len(HEAD) - 7) + b"\r\n\r\n"
    assert len(head) == 2**16
    for _ in range(3):
        for piece in [head] if together else [head[:40_000], head[40_000:]]:
            connection.sendall(piece)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_trailers_are_no_headers_and_have_an_end(short: Service) -> None:
    """A field behind the body is not the request's; and there cannot be any number of them."""
    body = json.dumps(SPEC).encode()
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n" % (len(body), body)
    with _connect(short) as connection:
        connection.sendall(chunked + b"Idempotency-Key: \x80\r\n\r\n" + HEAD + b"Connection: close\r\n\r\n")
        answers = _rest(connection)
    assert answers.startswith(b"HTTP/1.1 201 ")
    assert b"HTTP/1.1 200 " in answers
    with _connect(short) as connection:
        connection.sendall(chunked[:-3])
        time.sleep(0.1)  # the body is read
        try:
            connection.sendall(b"0\r\nX: ")
            for _ in range(40):
                connection.sendall(b"a" * 2**16)
        except OSError:
            pass
        else:
            assert _problem(_rest(connection)) == (431, "header_too_large")


def test_a_head_that_is_never_complete(connection: socket.socket) -> None:
    connection.sendall(HEAD)
    assert _problem(_rest(connection)) == (408, "request_timeout")


def test_a_head_that_comes_a_byte_at_a_time(connection: socket.socket) -> None:
    connection.settimeout(0.1)
    answer = b""
    for byte in HEAD * 1000:
        try:
            connection.sendall(bytes([byte]))
            answer = connection.recv(1000)
            break
        except TimeoutError:
            continue
    assert _problem(answer) == (408, "request_timeout")


def test_a_connection_that_says_nothing(connection: socket.socket) -> None:
    assert _rest(connection) == b""


@pytest.mark.parametrize("head", [b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_that_stops(connection: socket.socket, head: bytes) -> None:
    connection.sendall(POST + head)
    assert _problem(_rest(connection)) == (408, "request_timeout")


def test_a_slow_body_that_goes_on_is_read(short: Service) -> None:
    """Over twice as long as the stretch in which some of it must come."""
    body = json.dumps(SPEC).encode().ljust(25_000)
    with _connect(short) as connection:
        connection.sendall(POST + b"Content-Length: 25000\r\n\r\n")
        for start in range(0, 25_000, 1000):
            connection.sendall(body[start : start + 1000])
            time.sleep(0.1)
        assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")


def test_a_body_that_nobody_wants(connection: socket.socket) -> None:
    """The answer comes at once, and the rest is read for a while, not for ever."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    try:
        for _ in range(1000):
            connection.sendall(b"a")
            time.sleep(0.01)
    except OSError:
        return
    pytest.fail("it reads on")


def test_an_answer_that_nobody_takes(short: Service, tmp_path: Path) -> None:
    job_id = short.create()
    token = short.start(job_id)
    short.publish(job_id, token, "report.json", bytes(30_000_000), tmp_path)
    with _connect(short) as connection:
        connection.sendall(f"GET /jobs/{job_id}/artifacts/report.json HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(3)  # as long as the server needs to lose its patience, and more
        assert len(_rest(connection)) < 30_000_000


def test_requests_behind_each_other(connection: socket.socket) -> None:
    """As many as wait are answered; whoever sends more without waiting has to ask for the rest again."""
    connection.sendall((HEAD + b"\r\n") * 1000)
    answers = _rest(connection)
    assert 10 <= answers.count(b"HTTP/1.1 200 ") <= 1000
    assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"\r\n"], ids=["nothing", "half a head", "a request"])
def test_strangers_take_no_honest_callers_place(short: Service, sent: bytes) -> None:
    """Three times as many connections as there may be are opened, and none is closed."""
    job_id = short.create()
    with ExitStack() as stack:
        for count in range(3 * CONNECTIONS):
            connection = stack.enter_context(_connect(short))
            connection.sendall(sent)
            if count % 10 == 0:
                with _connect(short) as honest:
                    honest.sendall(f"GET /jobs/{job_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    assert honest.recv(100).startswith(b"HTTP/1.1 200 ")


def test_heads_are_bounded_all_together(tmp_path: Path) -> None:
    """Those that came first go, and who is served meanwhile stays."""
    limits = Limits(all_heads_bytes=300_000, head_seconds=60)
    with serving(Settings(home=tmp_path, broker_url="memory://"), limits) as service, ExitStack() as stack:
        assert service.client.get("/healthz").status_code == 200
        opened = [stack.enter_context(_connect(service)) for _ in range(10)]
        for connection in opened:
            connection.sendall(HEAD + b"X: " + b"a" * 50_000)
        for connection in opened[:5]:
            assert _rest(connection) == b""
        for connection in opened[5:]:
            connection.sendall(b"\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        assert service.client.get("/healthz").status_code == 200


def test_where_all_have_a_request_one_more_is_told_so(short: Service) -> None:
    job_id = short.create()
    ask = f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(CONNECTIONS * 3 // 4):
            connection = stack.enter_context(_connect(short))
            connection.sendall(ask)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        assert short.client.get("/healthz").status_code == 200, "streams leave room for others"
        refused = short.client.get(f"/jobs/{job_id}/events", headers={"Accept": "text/event-stream"})
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        for _ in range(CONNECTIONS // 4 + 2):
            connection = stack.enter_context(_connect(short))
            connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        with _connect(short) as late:
            assert _problem(_rest(late)) == (503, "too_many_connections")
