"""A lease ends a trainer in time also when the database does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from distillery.states import EndReason
from jobs.settings import Settings
from tests.kd_engine.small_runs import DIGITS
from worker.attempt.lease import Lease
from worker.context import Services


def test_a_lease_that_another_attempt_took_is_lost(services: Services, submit: Callable[[dict[str, Any]], str]) -> None:
    job_id = submit(DIGITS)
    with services.database.write() as repository:
        job = repository.claim(job_id, "me", 60)
        assert job is not None
        token = job.token
        repository.hand_back(job_id, token, "taken away")
    stopped = threading.Event()
    with Lease(services.database, services.settings, job_id, token) as lease, lease.watchdog(stopped.set):
        assert stopped.wait(10)
        assert lease.lost


def test_a_renewal_after_the_attempts_own_end_is_no_loss(
    services: Services, submit: Callable[[dict[str, Any]], str], caplog: pytest.LogCaptureFixture
) -> None:
    job_id = submit(DIGITS)
    with services.database.write() as repository:
        job = repository.claim(job_id, "me", 60)
        assert job is not None
    quick = services.settings.model_copy(update={"heartbeat_seconds": 0.02})
    with Lease(services.database, quick, job_id, job.token) as lease:
        with lease.ending():
            with services.database.write() as repository:
                repository.finish(job_id, job.token, EndReason.COMPLETED, "", [])
            time.sleep(0.3)  # renewals come before the writer knows that it is through
        time.sleep(0.1)
        assert not lease.lost
    assert "lost to another attempt" not in caplog.text


def test_a_frozen_database_ends_the_trainer(
    services: Services, submit: Callable[[dict[str, Any]], str], settings: Settings
) -> None:
    """Another connection holds the write lock: each renewal waits, for longer than the lease may go unrenewed."""
    job_id = submit(DIGITS)
    with services.database.write() as repository:
        job = repository.claim(job_id, "me", 60)
        assert job is not None
        token = job.token
    impatient = settings.model_copy(update={"stop_after_seconds": 1.0})
    stopped = threading.Event()
    with (
        Lease(services.database, impatient, job_id, token) as lease,
        lease.watchdog(stopped.set),
        services.database.write() as repository,
    ):
        repository.beat("another", "cpu", None)  # takes the lock, and keeps it
        assert stopped.wait(8), "the watchdog waited for the database, which gives up after 10 s"
        assert lease.lost


def test_a_renewed_lease_hears_the_users_wish(services: Services, submit: Callable[[dict[str, Any]], str]) -> None:
    job_id = submit(DIGITS)
    with services.database.write() as repository:
        job = repository.claim(job_id, "me", 60)
        assert job is not None
        token = job.token
        repository.request_cancel(job_id)
    with Lease(services.database, services.settings, job_id, token) as lease:
        deadline = time.monotonic() + 10
        while not lease.cancel_requested:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not lease.lost


def test_a_wish_is_heard_long_before_the_next_renewal(
    services: Services, submit: Callable[[dict[str, Any]], str]
) -> None:
    job_id = submit(DIGITS)
    with services.database.write() as repository:
        job = repository.claim(job_id, "me", 3600)
        assert job is not None
    slow = services.settings.model_copy(update={"heartbeat_seconds": 600.0, "stop_after_seconds": 1200.0})
    with Lease(services.database, slow, job_id, job.token) as lease:
        with services.database.write() as repository:
            repository.request_pause(job_id)
        deadline = time.monotonic() + 30
        while not lease.pause_requested:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not lease.cancel_requested
