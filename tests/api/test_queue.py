from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from api.queue import Doorbell, make_producer
from jobs.bell import QUEUE, TASK
from jobs.settings import Settings
from tests.api.conftest import SPEC, serving


class Rung:
    """Remembers what was rung, and lets a test wait for it."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._condition = threading.Condition()

    def __call__(self, job_ids: Sequence[str]) -> None:
        with self._condition:
            self.ids += job_ids
            self._condition.notify()

    def wait_for(self, count: int) -> list[str]:
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.ids) >= count, timeout=30)
            return self.ids


@contextmanager
def frozen_broker() -> Iterator[str]:
    """A broker that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of a broker that is not there: the port is taken, but nobody listens on it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}/0"


def test_a_ring_is_one_json_message_with_the_id_alone() -> None:
    rung = Rung()
    doorbell = Doorbell(make_producer("memory://"), rung)
    for number in range(3):
        doorbell.ring(f"job_test_{number}")
    assert rung.wait_for(3) == ["job_test_0", "job_test_1", "job_test_2"]
    doorbell.close()
    received: list[str] = []
    with Celery(broker="memory://", set_as_current=False).connection_for_read() as connection:
        queue = connection.SimpleQueue(QUEUE)
        while len(received) < 3:
            message = queue.get(timeout=30)
            assert message.content_type == "application/json"
            assert message.headers["task"] == TASK
            assert message.headers["ignore_result"] is True
            [job_id], keywords, _ = message.decode()
            assert keywords == {}
            received += [job_id] if job_id.startswith("job_test_") else []  # other tests ring too
            message.ack()
        queue.close()
    assert received == ["job_test_0", "job_test_1", "job_test_2"]


def test_each_of_many_rings_is_noted_once_and_also_those_that_waited_for_quiet() -> None:
    rung = Rung()
    doorbell = Doorbell(make_producer("memory://"), rung)
    ids = [f"job_many_{number}" for number in range(250)]
    for job_id in ids:
        doorbell.ring(job_id)
    doorbell.close(wait_seconds=30)
    assert rung.ids == ids


@pytest.mark.parametrize("kind", ["frozen", "absent"])
def test_a_broker_that_cannot_be_reached_is_logged_once(
    kind: str, nowhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    with frozen_broker() as frozen, caplog.at_level(logging.WARNING, "api.queue"):
        rung = Rung()
        doorbell = Doorbell(make_producer(frozen if kind == "frozen" else nowhere, timeout_seconds=0.1), rung)
        doorbell.ring("job_1")
        doorbell.close(wait_seconds=30)
        assert rung.ids == []
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "rung later" in caplog.text


def test_the_ping_of_a_frozen_broker_ends() -> None:
    with frozen_broker() as url:
        doorbell = Doorbell(make_producer(url, timeout_seconds=0.1), Rung())
        with pytest.raises((OperationalError, OSError)):
            doorbell.ping()
        doorbell.close()


def test_a_frozen_broker_costs_a_post_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker would hold a caller for a minute; the client gives up after 20 s, so no answer may wait for it."""
    with frozen_broker() as url:
        patient = make_producer(url, timeout_seconds=60)
        monkeypatch.setattr("api.main.make_producer", lambda _: patient)
        with serving(Settings(home=tmp_path, broker_url=url)) as service:
            for _ in range(3):
                answer = httpx.post(service.client.base_url.join("/jobs"), json=SPEC, timeout=20)
                assert answer.status_code == 201


def test_a_failure_to_note_the_ring_does_not_stop_the_next(caplog: pytest.LogCaptureFixture) -> None:
    noted = Rung()

    def fails(job_ids: Sequence[str]) -> None:
        noted(job_ids)
        raise RuntimeError("the database is away")

    doorbell = Doorbell(make_producer("memory://"), fails)
    for number in (1, 2):
        doorbell.ring(f"job_{number}")
        assert len(noted.wait_for(number)) == number
    doorbell.close()
    assert caplog.text.count("could not note") == 2


def test_a_new_job_is_rung_and_noted(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path, broker_url="memory://")) as service:
        job_id = service.create()
        context = service.context
    context.doorbell.close()
    with context.database.read() as repository:
        assert repository.get(job_id).rung_at is not None
    context.database.dispose()
