"""A real HTTP S3 server for tests, on a loopback port, and a wire to it that can be cut."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import httpx

from standalone.service import free_port

_START_SECONDS = 30


class S3Server:
    """moto's server: it keeps its buckets in memory. Stopped by its own process id.

    Args:
        folder: for its log.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.port}"
        self._buckets = 0
        with (folder / "s3.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"the S3 server did not start: {(folder / 's3.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def close(self) -> None:
        self.process.kill()  # its data is in memory alone
        self.process.wait(10)

    def new_bucket(self) -> str:
        """The URL of an empty place for artifacts."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        httpx.put(f"{self.url}/{name}", trust_env=False).raise_for_status()
        return f"s3://{name}/some/prefix"


def variables(endpoint: str) -> dict[str, str]:
    """What tells a process of the server at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "of-the-store",
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def known(endpoint: str) -> Iterator[None]:
    """Within, this process knows the server at `endpoint`."""
    with patch.dict(os.environ, variables(endpoint)):
        yield


class Wire:
    """A way to a server on another port, which can be cut and mended."""

    def __init__(self, target: int) -> None:
        self._target, self._open = target, set[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = self._start()

    def cut(self) -> None:
        """Ends all connections; new ones are refused."""
        _end(self._listener)
        self._thread.join()
        for end in tuple(self._open):
            _end(end)

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = self._start()

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        thread.start()
        return thread

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open |= {near, far}
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(2**16):
                target.sendall(content)
        for end in (source, target):
            self._open.discard(end)
            _end(end)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
