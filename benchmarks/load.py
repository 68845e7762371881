"""The load: a process of its own that keeps the connections open and sends bytes made beforehand.

`python -m benchmarks.load` reads one Load as JSON from standard input and writes one Answered to standard output.
Nothing is parsed but the status and the length of an answer, so that the server is what is measured.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BUFFER = bytearray(2**20)
_SECONDS = 60.0  # a server that is silent for so long has failed


@dataclass(frozen=True)
class Load:
    """`requests` requests over `clients` connections, each of which sends its next one when the last was answered."""

    port: int
    request: str
    requests: int
    clients: int = 16
    status: int = 200


@dataclass(frozen=True)
class Answered:
    """How it went.

    Attributes:
        seconds: from the first request to the last answer.
        latencies: seconds of each request, sorted.
    """

    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds within which `percent` of the requests were answered."""
        return self.latencies[min(int(len(self.latencies) * percent / 100), len(self.latencies) - 1)]


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(path: str, body: Mapping[str, Any]) -> str:
    text = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    )


def send(load: Load) -> Answered:
    """Sends the load from a fresh process.

    Raises:
        RuntimeError: an answer had another status, or none came.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=_ROOT, input=json.dumps(asdict(load)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"the load client failed: {done.stderr.strip()[-2000:]}")
    return Answered(**json.loads(done.stdout))


class _Connection:
    """One client: at most one request at a time."""

    def __init__(self, load: Load) -> None:
        self.socket = socket.create_connection(("127.0.0.1", load.port), timeout=_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request, self._status = load.request.encode(), f"HTTP/1.1 {load.status} ".encode()
        self._received = b""
        self._missing: int | None = None
        self._sent_at = 0.0

    def send(self) -> None:
        self._received, self._missing = b"", None
        self._sent_at = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> float | None:
        """Takes what has come; the request's seconds once its answer is whole."""
        count = self.socket.recv_into(_BUFFER)
        if not count:
            raise ConnectionError("the server closed a connection")
        if self._missing is None:
            self._received += _BUFFER[:count]
            self._read_head()
        else:
            self._missing -= count
        return time.perf_counter() - self._sent_at if self._missing == 0 else None

    def _read_head(self) -> None:
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = _LENGTH.search(head)
        has_none = head.startswith(b"HTTP/1.1 304 ")
        if not head.startswith(self._status) or (length is None and not has_none):
            raise ConnectionError(f"expected {self._status!r} with a length, got {self._received[:1000]!r}")
        self._missing = 0 if length is None or has_none else int(length[1]) - len(body)


def _run(load: Load) -> Answered:
    with selectors.DefaultSelector() as selector:
        connections = [_Connection(load) for _ in range(min(load.clients, load.requests))]
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        latencies: list[float] = []
        start, left = time.perf_counter(), load.requests - len(connections)
        for connection in connections:
            connection.send()
        while len(latencies) < load.requests:
            ready = selector.select(_SECONDS)
            if not ready:
                raise TimeoutError(f"no answer for {_SECONDS:g} seconds")
            for key, _ in ready:
                seconds = key.data.receive()
                if seconds is None:
                    continue
                latencies.append(seconds)
                if left > 0:
                    left -= 1
                    key.data.send()
        ended = time.perf_counter()
        for connection in connections:
            connection.socket.close()
    return Answered(ended - start, sorted(latencies))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_run(Load(**json.load(sys.stdin))))))
