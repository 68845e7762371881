from __future__ import annotations

from sqlalchemy import update

from distillery.states import JobState
from jobs.clock import now
from jobs.database import Database
from jobs.repository import Counts
from jobs.tables import Job
from tests.jobs.samples import create, running


def counts(database: Database) -> Counts:
    with database.read() as repository:
        return repository.counts()


def test_nothing_is_counted_as_nothing(database: Database) -> None:
    assert counts(database) == Counts({}, {}, {})


def test_jobs_by_state_and_device_the_oldest_wait_and_workers(database: Database) -> None:
    old = create(database)
    create(database)
    create(database, resources={"device": "cuda"})
    running(database, resources={"device": "cpu"})
    with database.write() as repository:
        repository._session.execute(update(Job).where(Job.id == old).values(queued_at=now(-3600)))
        for worker, device in (("a", "cpu"), ("b", "cpu"), ("c", "cuda")):
            repository.beat(worker, device, None)
    found = counts(database)
    assert found.jobs == {
        (JobState.QUEUED, "auto"): 2, (JobState.QUEUED, "cuda"): 1, (JobState.RUNNING, "cpu"): 1,
    }  # fmt: skip
    assert set(found.oldest_queued) == {"auto", "cuda"}
    assert found.oldest_queued["auto"] >= 3600 > found.oldest_queued["cuda"] >= 0
    assert found.workers == {"cpu": 2, "cuda": 1}
