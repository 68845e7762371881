"""A real api process to attack, watched from outside: it must stay alive, small, and silent about its inside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import httpx
import psutil

from api.app.create import close_context, create_app, open_context
from jobs.settings import Settings
from tests.api.conftest import Service

ROOT = Path(__file__).parents[2]
MIB = 2**20
_MOST_GROWTH = 150 * MIB  # of resident memory; one body of 100 MB kept in memory is seen


class Target:
    """The process, its address, and the way around it to what it stores."""

    def __init__(self, process: subprocess.Popen[str], service: Service, log: Path) -> None:
        self.process, self.service, self.log = process, service, log
        self._first = self.resident()

    @property
    def client(self) -> httpx.Client:
        return self.service.client

    def resident(self) -> int:
        found: int = psutil.Process(self.process.pid).memory_info().rss
        return found

    def raw(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, HTTPResponse, bytes]:
        """A request whose path is sent as it is: clients tidy paths up."""
        connection = HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        try:
            connection.request(method, path, body or None, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer, answer.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.service.port), timeout=30)

    def check_unhurt(self) -> None:
        assert self.process.poll() is None
        assert self.client.get("/healthz").status_code == 200
        assert self.client.get("/jobs?page_size=1").status_code == 200
        assert "Traceback" not in self.log.read_text()
        assert self.resident() - self._first < _MOST_GROWTH


@contextmanager
def attacked(home: Path) -> Iterator[Target]:
    """`python -m api` on a free loopback port, until the block ends; then it must end by itself when told to."""
    settings = Settings(home=home / "home", broker_url="memory://")
    log = home / "api.log"
    environment = os.environ | {"KD_HOME": str(settings.home), "KD_PORT": "0", "KD_BROKER_URL": "memory://"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=ROOT, env=environment, stdout=output, stderr=output, text=True
        )
    context = None
    try:
        port = _port(process, log)
        context = open_context(settings)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield Target(process, Service(client, context, create_app(settings).openapi()), log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in {0, -signal.SIGTERM}
    finally:
        process.kill()
        process.wait()
        if context is not None:
            close_context(context)


def _port(process: subprocess.Popen[str], log: Path) -> int:
    while process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
    raise AssertionError(log.read_text())
