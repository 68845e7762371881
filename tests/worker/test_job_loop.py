"""Whose turn it is, is decided when a job is claimed; a ring says only that there may be work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.tables import Job
from kd_engine.jobspec import parse_spec
from tests.worker.conftest import QUICK, look
from worker.attempt.execute import execute
from worker.context import Services
from worker.job_loop import JobLoop

Submit = Callable[[dict[str, Any]], str]


@pytest.fixture
def claimed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the jobs that are run from now on, in order."""
    ids: list[str] = []

    def remember(job: Job, services: Services) -> None:
        ids.append(job.id)
        execute(job, services)

    monkeypatch.setattr("worker.job_loop.execute", remember)
    return ids


def test_one_ring_is_enough_for_all_jobs_and_more_do_nothing(services: Services, submit: Submit) -> None:
    ids = [submit(QUICK) for _ in range(3)]
    job_loop = JobLoop(services)
    for _ in range(3):
        job_loop.work()
    jobs = [look(services, job_id) for job_id in ids]
    assert [(job.end_reason, job.attempt) for job in jobs] == [(EndReason.DATA_ERROR, 1)] * 3


def test_the_highest_priority_goes_first(services: Services, submit: Submit, claimed: list[str]) -> None:
    ids = [submit(QUICK | {"priority": priority}) for priority in (0, -5, 7)]
    JobLoop(services).work()
    assert claimed == [ids[2], ids[0], ids[1]]


def test_a_job_for_another_device_is_left_to_others(services: Services, submit: Submit) -> None:
    for_gpu = submit(QUICK | {"resources": {"device": "cuda"}})
    for_any = submit(QUICK)
    JobLoop(services).work()
    assert look(services, for_gpu).state is JobState.QUEUED
    assert look(services, for_any).state is JobState.FAILED


def test_an_owner_over_its_quota_waits(services: Services, submit: Submit) -> None:
    limited = replace(services, settings=services.settings.model_copy(update={"quota_running": 1}))
    first, second = submit(QUICK), submit(QUICK)
    with services.database.write() as repository:
        repository.claim(first, "another", 60)
    JobLoop(limited).work()
    assert look(services, second).state is JobState.QUEUED
    JobLoop(services).work()
    assert look(services, second).state is JobState.FAILED


def test_an_idle_worker_finds_work_without_any_ring(services: Services, submit: Submit) -> None:
    job_loop = JobLoop(replace(services, settings=services.settings.model_copy(update={"look_seconds": 0.02})))
    job_loop.start()
    job_id = submit(QUICK)
    _wait(lambda: look(services, job_id).state.terminal)
    job_loop.stop()


def test_a_worker_that_is_woken_looks_at_once(services: Services, submit: Submit) -> None:
    job_loop = JobLoop(replace(services, settings=services.settings.model_copy(update={"look_seconds": 3600})))
    job_loop.start()
    job_id = submit(QUICK)
    job_loop.wake()
    _wait(lambda: look(services, job_id).state.terminal)
    job_loop.stop()


def test_a_worker_that_leaves_takes_nothing(services: Services, submit: Submit) -> None:
    job_id = submit(QUICK)
    services.leaving.set()
    JobLoop(services).work()
    assert look(services, job_id).state is JobState.QUEUED


def test_what_nobody_thought_of_ends_no_thread(
    services: Services, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(*_: object) -> None:
        raise KeyError("a mistake")

    job_id = submit(QUICK)
    job_loop = JobLoop(replace(services, settings=services.settings.model_copy(update={"look_seconds": 0.02})))
    with monkeypatch.context() as patch:
        patch.setattr("worker.job_loop.execute", mistake)
        job_loop.work()
    assert look(services, job_id).state is JobState.RUNNING  # until its lease ends
    next_one = submit(QUICK)
    job_loop.start()
    _wait(lambda: look(services, next_one).state.terminal)
    job_loop.stop()


def test_two_rings_at_once_are_answered_one_after_the_other(
    services: Services, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, most = [0], [0]

    def count(*_: object) -> None:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(0.05)
        at_work[0] -= 1

    monkeypatch.setattr("worker.job_loop.execute", count)
    ids = [submit(QUICK) for _ in range(4)]
    job_loop = JobLoop(replace(services, settings=services.settings.model_copy(update={"look_seconds": 3600})))
    job_loop.start()
    threads = [threading.Thread(target=job_loop.answer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [1]
    assert [look(services, job_id).attempt for job_id in ids] == [1] * 4
    job_loop.stop()


def test_a_ring_is_held_while_there_is_work_but_not_for_ever(
    services: Services, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done = threading.Event(), threading.Event()

    def long_job(*_: object) -> None:
        begun.set()
        done.wait(30)

    monkeypatch.setattr("worker.job_loop.execute", long_job)
    job_loop = JobLoop(replace(services, settings=services.settings.model_copy(update={"look_seconds": 3600})))
    job_loop.start()
    submit(QUICK)
    held = threading.Thread(target=job_loop.answer)
    held.start()
    assert begun.wait(30)
    job_loop.answer(hold_seconds=0.05)  # ends, although the job does not
    assert held.is_alive()
    done.set()
    held.join(30)
    assert not held.is_alive()
    job_loop.stop()
    job_loop.answer()  # a ring for one who has left


def test_owners_take_turns(services: Services, claimed: list[str]) -> None:
    """One owner's many jobs do not starve another's one."""
    spec = parse_spec(QUICK).resolved()
    with services.database.write() as repository:
        many = [repository.create(spec, owner="many").id for _ in range(5)]
        one = repository.create(spec, owner="one").id
    JobLoop(services).work()
    assert sorted(claimed) == sorted([*many, one])
    assert claimed.index(one) <= 1


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
