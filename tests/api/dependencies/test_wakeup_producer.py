from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from api.dependencies.wakeup_producer import WakeupProducer, make_producer
from jobs.settings import Settings
from jobs.wakeup import QUEUE, TASK
from tests.api.conftest import SPEC, serving
from tests.tls import make_certificates, tls_door


@contextmanager
def frozen_broker(scheme: str = "redis") -> Iterator[str]:
    """A broker that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/0"


@contextmanager
def absent_broker(scheme: str) -> Iterator[str]:
    """The address of a broker that is not there: the port is taken, but nobody listens on it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"{scheme}://127.0.0.1:{taken.getsockname()[1]}/0"


def received(prefix: str, count: int) -> list[str]:
    """The ids of the next `count` messages whose id begins so; other tests ring too."""
    ids: list[str] = []
    with Celery(broker="memory://", set_as_current=False).connection_for_read() as connection:
        queue = connection.SimpleQueue(QUEUE)
        while len(ids) < count:
            message = queue.get(timeout=30)
            assert message.content_type == "application/json"
            assert message.headers["task"] == TASK
            assert message.headers["ignore_result"] is True
            [job_id], keywords, _ = message.decode()
            assert keywords == {}
            ids += [job_id] if job_id.startswith(prefix) else []
            message.ack()
        queue.close()
    return ids


def test_a_ring_is_one_json_message_with_the_id_alone() -> None:
    wakeup_producer = WakeupProducer(make_producer("memory://"))
    ids = [f"job_test_{number}" for number in range(250)]
    for job_id in ids:
        wakeup_producer.wake(job_id)
    wakeup_producer.close(wait_seconds=30)
    assert received("job_test_", len(ids)) == ids


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp", "amqps"])
@pytest.mark.parametrize("kind", [frozen_broker, absent_broker])
def test_a_broker_that_cannot_be_reached_is_logged_once(
    kind: Callable[[str], AbstractContextManager[str]], scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    with kind(scheme) as url, caplog.at_level(logging.WARNING, "api.dependencies.wakeup_producer"):
        wakeup_producer = WakeupProducer(make_producer(url, timeout_seconds=0.1))
        wakeup_producer.wake("job_1")
        wakeup_producer.close(wait_seconds=30)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "looks by itself" in caplog.text


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp", "amqps"])
def test_the_ping_of_a_frozen_broker_ends(scheme: str) -> None:
    with frozen_broker(scheme) as url:
        wakeup_producer = WakeupProducer(make_producer(url, timeout_seconds=0.1))
        with pytest.raises(OperationalError):
            wakeup_producer.ping()
        wakeup_producer.close()


@pytest.mark.parametrize("scheme", ["rediss", "amqps"])
@pytest.mark.parametrize(("host", "signed_by"), [("localhost", "stranger"), ("127.0.0.1", "authority")])
def test_a_broker_with_a_certificate_of_somebody_else_hears_nothing(
    tmp_path: Path, scheme: str, host: str, signed_by: str
) -> None:
    """Signed by a stranger, or for another name; an API with such a broker takes jobs all the same."""
    certificates = make_certificates(tmp_path)
    with tls_door(tmp_path / "nobody", certificates) as port:
        url = f"{scheme}://u:p@{host}:{port}/0?ssl_ca_certs={getattr(certificates, signed_by)}"
        wakeup_producer = WakeupProducer(make_producer(url, timeout_seconds=5))
        with pytest.raises(OperationalError, match="certificate"):
            wakeup_producer.ping()
        wakeup_producer.close()
        with serving(Settings(home=tmp_path / "home", broker_url=url)) as service:
            assert httpx.post(service.client.base_url.join("/jobs"), json=SPEC, timeout=20).status_code == 201


def test_a_frozen_broker_costs_a_post_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker would hold a caller for a minute; the client gives up after 20 s, so no answer may wait for it."""
    with frozen_broker() as url:
        patient = make_producer(url, timeout_seconds=60)
        monkeypatch.setattr("api.app.create.make_producer", lambda _: patient)
        with serving(Settings(home=tmp_path, broker_url=url)) as service:
            for _ in range(3):
                answer = httpx.post(service.client.base_url.join("/jobs"), json=SPEC, timeout=20)
                assert answer.status_code == 201


def test_a_new_job_is_rung(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path, broker_url="memory://")) as service:
        job_id = service.create()
        service.context.wakeup_producer.close()
        assert received(job_id, 1) == [job_id]
