"""Lost jobs, unclaimed jobs and the workers at work, on both databases."""

from __future__ import annotations

import time

from distillery.states import EndReason, JobState
from jobs.database import Database
from jobs.repository import Repository
from tests.jobs.samples import LAPSED, all_at_once, claim, create, events_of, everything, read


def expire(database: Database, max_lost: int = 3) -> list[str]:
    with database.write() as repository:
        return repository.expire_leases(max_lost)


def test_a_lease_that_has_time_left_is_left_alone(database: Database) -> None:
    job_id = create(database)
    claim(database, job_id)
    before = everything(database, job_id)
    assert expire(database) == []
    assert everything(database, job_id) == before


def test_a_lost_job_is_queued_again(database: Database) -> None:
    job_id = create(database)
    claim(database, job_id, "worker-1", LAPSED)
    assert expire(database) == [job_id]
    job = read(database, job_id)
    assert (job.state, job.lost_attempts, job.worker, job.lease_expires) == (JobState.QUEUED, 1, None, None)
    event = events_of(database, job_id)[-1]
    assert (event.type, event.data) == ("requeued", {"why": "worker 'worker-1' was lost in attempt 1"})


def test_a_lease_ends_by_the_databases_clock_unless_it_is_renewed(database: Database) -> None:
    short, renewed = create(database), create(database)
    claim(database, short, lease=0.03)
    token = claim(database, renewed, lease=0.03)
    with database.write() as repository:
        repository.renew(renewed, token, 60)
    lost: list[str] = []
    deadline = time.monotonic() + 10
    while not lost and time.monotonic() < deadline:
        time.sleep(0.01)
        lost = expire(database)
    assert lost == [short]
    assert read(database, renewed).state is JobState.RUNNING


def test_a_lapsed_lease_can_be_renewed_until_somebody_takes_the_job(database: Database) -> None:
    job_id = create(database)
    token = claim(database, job_id, lease=LAPSED)
    with database.write() as repository:
        repository.renew(job_id, token, 60)
    assert expire(database) == []


def test_after_the_cap_of_lost_attempts_the_job_fails(database: Database) -> None:
    job_id = create(database)
    for _ in range(3):
        claim(database, job_id, "worker-7", LAPSED)
        assert expire(database, max_lost=3) == [job_id]
    job = read(database, job_id)
    assert (job.state, job.end_reason, job.lost_attempts) == (JobState.FAILED, EndReason.WORKER_LOST, 3)
    assert job.attempt == 3
    assert job.end_detail is not None
    assert "worker-7" in job.end_detail
    kinds = [event.type for event in events_of(database, job_id)]
    assert kinds == ["created", "claimed", "requeued", "claimed", "requeued", "claimed", "ended"]
    assert expire(database) == []


def test_handing_back_is_not_counted_as_lost(database: Database) -> None:
    job_id = create(database)
    for _ in range(4):
        token = claim(database, job_id)
        with database.write() as repository:
            repository.hand_back(job_id, token, "deploy")
    claim(database, job_id, lease=LAPSED)
    expire(database, max_lost=2)
    assert read(database, job_id).state is JobState.QUEUED


def test_a_lost_job_that_was_to_be_cancelled_is_cancelled(database: Database) -> None:
    job_id = create(database)
    claim(database, job_id, lease=LAPSED)
    with database.write() as repository:
        repository.request_cancel(job_id)
    assert expire(database) == [job_id]
    assert read(database, job_id).state is JobState.CANCELLED
    assert [event.type for event in events_of(database, job_id)].count("ended") == 1


def test_sweepers_at_once_take_a_lost_job_once(database: Database) -> None:
    ids = [create(database) for _ in range(12)]
    for job_id in ids:
        claim(database, job_id, lease=LAPSED)

    def sweep(repository: Repository) -> list[str]:
        return repository.expire_leases(3)

    taken = [job_id for lost in all_at_once(database, [sweep] * 4) for job_id in lost]
    # What one lease reaper was at, another passed over, and nobody took twice.
    assert sorted(taken) == ids
    assert {read(database, job_id).lost_attempts for job_id in ids} == {1}


def test_workers_come_and_go(database: Database) -> None:
    with database.write() as repository:
        repository.beat("worker-2", "cuda", None)
        repository.beat("worker-1", "cpu", None)
        first = repository.workers_seen(60)[0]
        started, seen = first.started_at, first.seen_at
    assert (first.id, first.device, first.job_id) == ("worker-1", "cpu", None)
    time.sleep(0.002)
    with database.write() as repository:
        repository.beat("worker-1", "cpu", "job_1")
    with database.read() as repository:
        workers = repository.workers_seen(60)
        assert [worker.id for worker in workers] == ["worker-1", "worker-2"]
        assert workers[0].job_id == "job_1"
        assert workers[0].started_at == started
        assert workers[0].seen_at > seen
        assert repository.workers_seen(-1) == []
    with database.write() as repository:
        repository.forget_worker("worker-2")
        repository.forget_worker("nobody")
        assert [worker.id for worker in repository.workers_seen(60)] == ["worker-1"]
