"""Webhooks for tests: real HTTP servers on loopback that remember what they were told, or never answer."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Answer = tuple[int, dict[str, str]]


@dataclass
class Hook:
    """
    Attributes:
        received: path, headers and body of each request, in the order in which they came.
        answer: given the number of requests before, what to say to the next.
    """

    url: str = ""
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[int], Answer] = lambda before: (204, {})
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait_for_one(self) -> None:
        assert self.came.acquire(timeout=60), "nobody called"


@contextmanager
def listening(
    answer: Callable[[int], Answer] = lambda before: (204, {}), tls: ssl.SSLContext | None = None
) -> Iterator[Hook]:
    """A webhook; told by `http://127.0.0.1:PORT/hook`, or https with the certificate of `tls`."""
    hook = Hook(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, headers = hook.answer(len(hook.received))
            hook.received.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            self.send_response(status)
            for key, value in ({"content-length": "0"} | headers).items():
                self.send_header(key, value)
            self.end_headers()
            hook.came.release()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    hook.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent() -> Iterator[str]:
    """The URL of a webhook that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"


@contextmanager
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Names that end in `slow.example` are answered when the block ends, or the event is set; others as always."""
    answered, real = threading.Event(), socket.getaddrinfo

    def look_up(host: str, *rest: Any, **options: Any) -> Any:
        if host.endswith("slow.example"):
            answered.wait(30)
            raise socket.gaierror("nobody knows")
        return real(host, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr("socket.getaddrinfo", look_up)
        try:
            yield answered
        finally:
            answered.set()
