"""Lost jobs are taken back, and this worker is seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from distillery.states import EndReason, JobState
from tests.kd_engine.small_runs import DIGITS
from tests.worker.conftest import look
from worker.context import Services
from worker.periodic.lease_reaper import LeaseReaper

Submit = Callable[[dict[str, Any]], str]


def test_an_expired_lease_is_taken_back_and_the_worker_looks_for_work(services: Services, submit: Submit) -> None:
    found: list[bool] = []
    lease_reaper = LeaseReaper(services, lambda: found.append(True))
    job_id = submit(DIGITS)
    with services.database.write() as repository:
        repository.claim(job_id, "a-worker-that-dies", 0.01)
    time.sleep(0.05)
    lease_reaper.reap()
    job = look(services, job_id)
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 1)
    lease_reaper.reap()
    assert found == [True]


def test_a_job_that_waited_too_long_is_ended(services: Services, submit: Submit) -> None:
    found: list[bool] = []
    impatient = submit(DIGITS | {"resources": {"device": "cuda", "queue_timeout_seconds": 0.001}})
    patient = submit(DIGITS | {"resources": {"device": "cuda"}})
    time.sleep(0.05)
    LeaseReaper(services, lambda: found.append(True)).reap()
    assert look(services, impatient).reason is EndReason.QUEUE_TIMEOUT
    assert look(services, patient).state is JobState.QUEUED
    assert found == [], "there is no more work than before"


def test_a_worker_is_seen_with_its_device_until_it_leaves(services: Services) -> None:
    lease_reaper = LeaseReaper(services, lambda: None)
    services.in_hand.add("job_1")
    lease_reaper.beat()
    with services.database.read() as repository:
        [seen] = repository.workers_seen(60)
    assert (seen.id, seen.device, seen.job_id) == ("test-worker", "cpu", "job_1")
    lease_reaper.forget_if_possible()
    with services.database.read() as repository:
        assert repository.workers_seen(60) == []
