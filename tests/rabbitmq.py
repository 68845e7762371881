"""A private RabbitMQ for tests: its own folder, free loopback ports, stopped by its own pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from standalone.service import free_port

_START_SECONDS = 60
# The command on the PATH of a Debian machine insists on the system's own folders; the one behind it does not.
_BEHIND = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class NoRabbit(Exception):
    """There is no RabbitMQ to start."""


class RabbitMQ:
    """One server. `start` and `stop` may be called in turns; a context manager that removes its folder.

    Args:
        tls: its certificate, key and the authority that signed them, as files; it then speaks TLS alone.
    """

    def __init__(self, tls: tuple[Path, Path, Path] | None = None) -> None:
        found = shutil.which("rabbitmq-server")
        names_nodes = shutil.which("epmd")  # Erlang's own; started here, or the server would leave one behind
        if found is None or names_nodes is None:
            raise NoRabbit("no RabbitMQ: neither 'rabbitmq-server' nor 'epmd' may be missing on the PATH")
        self._command = str(_BEHIND) if _BEHIND.exists() else found
        self._epmd = names_nodes
        self.folder = Path(tempfile.mkdtemp(prefix="rabbit-"))
        self.port = free_port("127.0.0.1", 0)
        self._names = free_port("127.0.0.1", 0)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._tls = tls
        self._configure()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """As the service wants it."""
        if self._tls is None:
            return f"amqp://guest:guest@127.0.0.1:{self.port}//"
        return f"amqps://guest:guest@localhost:{self.port}//?ssl_ca_certs={self._tls[2]}"

    @property
    def server(self) -> subprocess.Popen[bytes]:
        return self._processes[-1]

    def start(self) -> None:
        """Starts the server and waits until it speaks AMQP."""
        for command in ([self._epmd, "-port", str(self._names), "-address", "127.0.0.1"], [self._command]):
            with (self.folder / "log").open("ab") as log:
                process = subprocess.Popen(
                    command, env=self._environment(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
            self._processes.append(process)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            said = (self.folder / "log").read_text(errors="replace")[-2000:]
            assert self.server.poll() is None, f"RabbitMQ did not start: {said}"
            assert time.monotonic() < deadline, f"RabbitMQ is not ready: {said}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends the server with all that it started; what it stored stays."""
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):  # it could not start
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self._processes.clear()

    def freeze(self) -> None:
        """It takes what comes, and answers nothing any more."""
        os.killpg(self.server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.server.pid, signal.SIGCONT)

    def _configure(self) -> None:
        lines = ["loopback_users = none", "log.console = true", "log.file = false"]
        if self._tls is None:
            lines += [f"listeners.tcp.1 = 127.0.0.1:{self.port}"]
        else:
            certificate, key, authority = self._tls
            lines += [
                "listeners.tcp = none", f"listeners.ssl.1 = 127.0.0.1:{self.port}",
                f"ssl_options.certfile = {certificate}", f"ssl_options.keyfile = {key}",
                f"ssl_options.cacertfile = {authority}", "ssl_options.verify = verify_none",
            ]  # fmt: skip
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugins").write_text("[].\n")

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port("127.0.0.1", 0)),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            # one thread that sleeps when there is nothing to do, and no port that others reach
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as plain:
                if self._tls is None:
                    return _speaks(plain)
                context = ssl.create_default_context(cafile=str(self._tls[2]))
                with context.wrap_socket(plain, server_hostname="localhost") as encrypted:
                    return _speaks(encrypted)
        except OSError:
            return False


def _speaks(connection: socket.socket) -> bool:
    connection.sendall(b"AMQP\x00\x00\x09\x01")
    return connection.recv(7).startswith(b"\x01\x00\x00")
