"""Whose turn it is: between owners the one with the fewest running jobs, among one's own the highest priority."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from distillery.quota import NO_QUOTA, Quota
from distillery.states import EndReason, JobState
from jobs.database import Database
from jobs.repository import queue
from jobs.tables import Job
from tests.jobs.samples import a_spec, all_at_once, read


def submit(database: Database, owner: str = "local", device: str = "auto", **changes: object) -> str:
    with database.write() as repository:
        return repository.create(a_spec(resources={"device": device}, **changes), owner=owner).id


def take(database: Database, device: str = "cpu", **quotas: int) -> Job | None:
    limits = {owner: Quota(running=running) for owner, running in quotas.items()}
    with database.write() as repository:
        return repository.claim_next("worker", device, 60, lambda owner: limits.get(owner, NO_QUOTA))


def taken(database: Database, count: int, **quotas: int) -> list[str]:
    jobs = [take(database, **quotas) for _ in range(count)]
    return [job.id for job in jobs if job is not None]


def test_an_empty_queue_has_nothing(database: Database) -> None:
    assert take(database) is None


def test_jobs_of_one_owner_go_by_priority_and_then_by_age(database: Database) -> None:
    first, urgent, second, late = (submit(database, priority=priority) for priority in (0, 5, 0, -1))
    assert taken(database, 5) == [urgent, first, second, late]


def test_one_owners_500_jobs_do_not_starve_anothers_one(database: Database) -> None:
    with database.write() as repository:
        many = [repository.create(a_spec(priority=100), owner="many").id for _ in range(500)]
    one = submit(database, "one")
    assert taken(database, 3) == [many[0], one, many[1]]


def test_owners_with_as_many_running_jobs_take_turns(database: Database) -> None:
    jobs = {owner: [submit(database, owner) for _ in range(3)] for owner in ("a", "b", "c")}
    order = []
    for _ in range(9):
        job = take(database)
        assert job is not None
        order.append(job.owner)
        with database.write() as repository:
            repository.finish(job.id, job.token, EndReason.COMPLETED)
    assert [order[n : n + 3] for n in (0, 3, 6)] == [["a", "b", "c"]] * 3
    assert all(read(database, job).state is JobState.SUCCEEDED for ids in jobs.values() for job in ids)


def test_a_worker_takes_what_its_device_can_run(database: Database) -> None:
    cuda, cpu, either = (submit(database, device=device) for device in ("cuda", "cpu", "auto"))
    with database.write() as repository:
        assert [job and job.id for job in (repository.claim_next("w", "cpu", 60) for _ in range(3))] == [
            cpu,
            either,
            None,
        ]
        assert [job and job.id for job in (repository.claim_next("w", "cuda", 60) for _ in range(2))] == [cuda, None]


def test_priority_holds_across_devices(database: Database) -> None:
    submit(database, device="auto")
    urgent = submit(database, device="cpu", priority=1)
    assert taken(database, 1) == [urgent]


def test_an_owner_who_runs_as_many_as_it_may_is_passed_over(database: Database) -> None:
    waiting = [submit(database, "small") for _ in range(3)]
    other = submit(database, "other")
    assert taken(database, 5, small=1) == [other, waiting[0]]
    job = read(database, waiting[0])
    with database.write() as repository:
        repository.finish(job.id, job.token, EndReason.COMPLETED)
    assert taken(database, 2, small=1) == [waiting[1]]


@pytest.mark.parametrize("limit", [None, 2])
def test_workers_at_once_take_each_job_once_and_keep_to_the_quota(database: Database, limit: int | None) -> None:
    jobs = [submit(database) for _ in range(6)]
    quota = Quota(running=limit)

    found = all_at_once(
        database, [lambda repository: repository.claim_next("worker", "cpu", 60, lambda owner: quota)] * 6
    )

    ids = [job.id for job in found if job is not None]
    assert len(set(ids)) == len(ids) == (limit or 6)
    assert sorted(ids) == jobs[: len(ids)]


@pytest.mark.parametrize("reason", ["nothing waits", "another device", "over quota"])
def test_who_finds_no_work_waits_for_nobody(postgres_url: str, reason: str) -> None:
    database = Database(postgres_url)
    quotas = {}
    if reason == "another device":
        submit(database, device="cuda")
    if reason == "over quota":
        quotas = {"local": 1}
        submit(database)
        assert take(database, **quotas) is not None
        submit(database)
    with database.write() as busy:
        busy._session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": queue._LOCK})
        assert take(database, **quotas) is None  # or it would wait for ten seconds, and fail
    database.dispose()
