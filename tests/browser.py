"""A headless Chromium, where this machine has one, and a server of pages for it to look at."""

from __future__ import annotations

import http.client
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# what it would do by itself: talk to its maker, and ask for a sandbox that root has not
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--enable-logging=stderr",
)  # fmt: skip
EVIL = "evil.example"
"""A name that leads to this machine, as its owner could make it do; all others lead nowhere."""
_RULES = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"


def command(profile: Path, *arguments: str) -> list[str]:
    """The command line; skips the test where there is no Chromium, in CI too: no package registry has one."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine (on Debian: apt-get install chromium)")
    return [found, *_QUIET, _RULES, f"--user-data-dir={profile}", *arguments]


def dump(profile: Path, url: str) -> tuple[str, list[str]]:
    """The document once its scripts have run, and what stands on the console."""
    arguments = command(profile, "--virtual-time-budget=20000", "--dump-dom", url)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@contextmanager
def showing(profile: Path, url: str) -> Iterator[None]:
    """A browser that looks at a page until the block ends."""
    process = subprocess.Popen(
        command(profile, url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Pages:
    """Serves pages on a loopback port and hands on all other requests, unchanged, to the port `behind`.

    So it is to a browser what a name is that led to its page's server a moment ago and now leads to another: one
    origin. Pages tell what they found with POST /result.
    """

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages, self.behind = pages, 0
        self.results: queue.Queue[dict[str, Any]] = queue.Queue()
        handler = type("Handler", (_Handler,), {"of": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Pages:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: Pages

    def do_GET(self) -> None:
        page = self.of.pages.get(self.path)
        if page is None:
            self._hand_on()
        else:
            self._answer(200, page.encode(), "text/html")

    def do_POST(self) -> None:
        if self.path == "/result":
            self.of.results.put(json.loads(self._body()))
            self._answer(200, b"{}", "application/json")
        else:
            self._hand_on()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of this belongs into a test's output."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _hand_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.of.behind, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(self._body())
        answer = connection.getresponse()
        self._answer(answer.status, answer.read(), answer.headers.get_content_type())
        connection.close()

    def _answer(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
