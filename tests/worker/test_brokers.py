"""Each kind of broker by its URL alone, with a whole worker: it is rung at once, also after the broker was away."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.dependencies.wakeup_producer import WakeupProducer, make_producer
from standalone.errors import CannotStart
from standalone.redis_server import RedisServer
from tests.conftest import skip_unless_ci
from tests.rabbitmq import NoRabbit, RabbitMQ
from tests.tls import make_certificates, tls_door
from tests.worker.conftest import QUICK, Start, look, wait_until
from worker.context import Services

pytestmark = pytest.mark.service
PASSWORD = "h%20ush"  # as it stands in a URL: "h ush"


class Redis:
    """With a password, which everybody needs; `stop` and `start` again, as often as need be."""

    def __init__(self, server: RedisServer) -> None:
        try:
            self._command = [*server.program({}).command, "--requirepass", "h ush"]
        except CannotStart as error:
            skip_unless_ci(str(error))
        self.socket = server.socket

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, 20)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"-NOAUTH")
            except OSError:
                return False


Broker = tuple[str, Redis | RabbitMQ]


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """The URL of a broker that runs, and the server, to stop and start it again."""
    kind: str = request.param
    with redis(tmp_path, kind) if "redis" in kind else rabbit(tmp_path, kind) as found:
        yield found


@contextmanager
def redis(tmp_path: Path, kind: str) -> Iterator[Broker]:
    certificates = make_certificates(tmp_path)
    with RedisServer(tmp_path / "redis") as at, tls_door(at.socket, certificates) as port:
        server = Redis(at)
        server.start()
        try:
            yield (
                {
                    "redis+socket": f"redis+socket://:{PASSWORD}@{at.socket}?virtual_host=2",
                    "rediss": f"rediss://:{PASSWORD}@localhost:{port}/1?ssl_ca_certs={certificates.authority}",
                    "rediss, unverified": f"rediss://:{PASSWORD}@127.0.0.1:{port}/1?ssl_cert_reqs=none",
                }[kind],
                server,
            )
        finally:
            server.stop()


@contextmanager
def rabbit(tmp_path: Path, kind: str) -> Iterator[Broker]:
    made = make_certificates(tmp_path)
    try:
        server = RabbitMQ((made.certificate, made.key, made.authority) if kind == "amqps" else None)
    except NoRabbit as error:
        pytest.skip(str(error))
    with server:
        yield server.url, server


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["redis+socket", "rediss", "rediss, unverified", "amqp", "amqps"], indirect=True)
def test_a_ring_is_heard_at_once_also_after_a_restart(
    broker: Broker, services: Services, submit: Callable[[dict[str, Any]], str], start_worker: Start
) -> None:
    """The worker looks by itself once an hour, so it is the ring that tells it."""
    url, server = broker
    worker = start_worker(url, look_seconds=3600)
    producer = WakeupProducer(make_producer(url, timeout_seconds=5))  # a busy machine shakes hands slowly
    first = submit(QUICK)
    wait_until(lambda: look(services, first).state.terminal)  # found at the start
    second = submit(QUICK)
    producer.wake(second)
    wait_until(lambda: look(services, second).state.terminal)

    server.stop()
    server.start()

    third = submit(QUICK)
    producer.wake(third)
    wait_until(lambda: look(services, third).state.terminal)
    producer.ping()
    producer.close()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
