"""Lost jobs are taken back, waiting ones are rung, and nothing that is away ends the sweeper."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from jobs.states import JobState
from tests.kd_engine.runs import DIGITS
from tests.worker.conftest import look
from worker.execute import Services
from worker.sweeper import Sweeper

Submit = Callable[[dict[str, Any]], str]


@pytest.fixture
def rung() -> list[str]:
    return []


def test_a_job_that_nobody_came_for_is_rung_once_an_interval(
    services: Services, submit: Submit, rung: list[str]
) -> None:
    sweeper = Sweeper(services, rung.append)
    job_id = submit(DIGITS)
    sweeper.sweep()
    sweeper.sweep()
    assert rung == [job_id]


def test_a_busy_worker_does_not_ring(services: Services, submit: Submit, rung: list[str]) -> None:
    submit(DIGITS)
    services.in_hand.add("job_other")
    Sweeper(services, rung.append).sweep()
    assert rung == []


def test_an_expired_lease_is_taken_back_and_rung(services: Services, submit: Submit, rung: list[str]) -> None:
    job_id = submit(DIGITS)
    with services.database.write() as repository:
        repository.claim(job_id, "a-worker-that-dies", 0.01)
    time.sleep(0.05)
    Sweeper(services, rung.append).sweep()
    job = look(services, job_id)
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 1)
    assert rung == [job_id]


def test_the_thread_outlives_a_broker_that_is_away(services: Services, submit: Submit) -> None:
    tried: list[str] = []

    def no_broker(job_id: str) -> None:
        tried.append(job_id)
        raise ConnectionError("nobody listens")

    sweeper = Sweeper(services, no_broker)
    job_id = submit(DIGITS)
    sweeper.start()
    _wait(lambda: tried == [job_id])
    with services.database.read() as repository:
        assert [worker.id for worker in repository.workers_seen(60)] == ["test-worker"]
    sweeper.stop()
    with services.database.read() as repository:
        assert repository.workers_seen(60) == []


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
