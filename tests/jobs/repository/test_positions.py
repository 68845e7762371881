"""The place of a job is the number of jobs that workers take until they have taken it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, select, text

from distillery.quota import NO_QUOTA
from distillery.states import JobState
from jobs.database import Database
from jobs.repository import Repository
from jobs.tables import Job
from tests.jobs.samples import a_spec, claim, create, pause, read

OWNERS = ("ann", "bob", "cid", "dan")


@contextmanager
def undone(repository: Repository) -> Iterator[None]:
    """What the block does to the database is taken back."""
    savepoint = repository._session.begin_nested()
    yield
    savepoint.rollback()
    repository._session.expire_all()


def _serve(repository: Repository, owner: str, at: int | None) -> None:
    """Says when a job of the owner was last begun: the test's claims come within the same millisecond."""
    serve = text("UPDATE owners SET served_at = :at WHERE name = :name")
    repository._session.execute(serve, {"at": at, "name": owner})


def _some_queue(repository: Repository, draw: random.Random) -> list[Job]:
    """The waiting jobs of some owners, of all kinds, beside running ones that began at any time."""
    for owner in draw.sample(OWNERS, draw.randint(1, 4)):
        for _ in range(draw.randint(1, 6)):
            device, priority = draw.choice(("auto", "auto", "cpu", "cuda")), draw.choice((0, 0, 5, -5))
            job = repository.create(a_spec(resources={"device": device}, priority=priority), owner=owner)
            if draw.random() < 0.25:
                repository.claim(job.id, "worker", 60)
        _serve(repository, owner, draw.choice((None, 1, 2, 3)))
    return list(repository._session.scalars(select(Job).where(Job.state == JobState.QUEUED)))


def _taken(repository: Repository, device: str) -> dict[str, int]:
    """By its id, as which one each job is taken by workers with this device that end none."""
    places: dict[str, int] = {}
    with undone(repository):
        while (job := repository.claim_next("worker", device, 60)) is not None:
            places[job.id] = len(places) + 1
            _serve(repository, job.owner, 1000 + len(places))
    return places


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_claiming_does(database: Database, seed: int) -> None:
    draw = random.Random(seed)
    with database.write() as repository:
        for _ in range(5):
            with undone(repository):
                queued = _some_queue(repository, draw)
                at_work = draw.choice(((), ("cpu",), ("cuda",), ("cpu", "cuda")))
                for device in at_work:
                    repository.beat(f"worker-{device}", device, None)
                taken = {device: _taken(repository, device) for device in ("cpu", "cuda")}
                expected = {}
                for job in queued:
                    devices = (at_work or ("cpu", "cuda")) if job.device == "auto" else (job.device,)
                    expected[job.id] = min(taken[device][job.id] for device in devices)
                found = repository.positions(queued)
                assert found == expected
                for job in queued:  # a page of one, and a poll
                    assert repository.positions([job]) == {job.id: expected[job.id]}
                    why = repository.why_waiting(job.device, job.owner, NO_QUOTA, job.priority, job.id)
                    assert why.position == expected[job.id]


def test_a_job_that_is_yet_to_come(database: Database) -> None:
    with database.write() as repository:
        for owner in ("ann", "new"):
            for priority in (5, 0, -5):
                place = repository.why_waiting("cpu", owner, NO_QUOTA, priority).position
                job = repository.create(a_spec(resources={"device": "cpu"}, priority=priority), owner=owner)
                assert repository.positions([job]) == {job.id: place}


def test_what_does_not_wait_has_no_place(database: Database) -> None:
    running, paused, queued = (create(database) for _ in range(3))
    claim(database, running)
    pause(database, paused)
    jobs = [read(database, job_id) for job_id in (running, paused, queued)]
    with database.write() as repository:
        assert repository.positions(jobs) == {queued: 1}
        repository.claim(queued, "worker", 60)
        assert repository.positions(jobs) == {}, "it began after the list was read"


def test_a_long_queue_is_looked_at_once_for_a_whole_list(sqlite_database: Database) -> None:
    with sqlite_database.write() as repository:
        jobs = [repository.create(a_spec(), owner=f"owner-{number % 7}") for number in range(50)]
        statements: list[str] = []
        connection = repository._session.connection()
        event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
        places = repository.positions(jobs)
    assert sorted(places.values()) == list(range(1, 51))
    assert len(statements) == 3
