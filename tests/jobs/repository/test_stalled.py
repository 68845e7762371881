"""A running job that does not get on, and what programs of the version before read of its end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from distillery.states import EndReason, JobState
from jobs.clock import now
from jobs.database import Database
from jobs.errors import LeaseLost
from jobs.tables import Job
from tests.jobs.samples import claim, events_of, read, running


def _stall(database: Database, job_id: str, token: int, quiet_seconds: float = 250.0) -> None:
    with database.write() as repository:
        repository.note_stall(job_id, token, quiet_seconds, "decoding pictures")


def _claimed_before(database: Database, job_id: str, seconds: float) -> None:
    with database.write() as repository:
        repository._session.execute(update(Job).where(Job.id == job_id).values(claimed_at=now(-seconds)))


def test_a_stall_and_its_end_are_seen(database: Database) -> None:
    job_id, token = running(database)
    _claimed_before(database, job_id, 3600)
    before = read(database, job_id)
    _stall(database, job_id, token)
    job = read(database, job_id)
    assert job.version > before.version
    assert job.stalled is not None
    assert before.claimed_at is not None
    assert timedelta(seconds=3000) < job.stalled - before.claimed_at < timedelta(seconds=3360)
    event = events_of(database, job_id)[-1]
    assert (event.type, event.data) == ("stalled", {"quiet_seconds": 250, "doing": "decoding pictures"})
    with database.write() as repository:
        assert repository.stalled() == repository.counts().stalled == 1
        repository.note_progress(job_id, token)
    assert read(database, job_id).stalled is None
    assert events_of(database, job_id)[-1].type == "recovered"
    with database.read() as repository:
        assert repository.stalled() == 0


def test_a_stall_never_began_before_the_attempt(database: Database) -> None:
    job_id, token = running(database)
    _stall(database, job_id, token)
    job = read(database, job_id)
    assert job.stalled == job.claimed_at is not None


@pytest.mark.parametrize("by_hand_back", [True, False])
def test_it_goes_with_the_attempt(database: Database, by_hand_back: bool) -> None:
    job_id, token = running(database)
    _stall(database, job_id, token)
    with database.write() as repository:
        if by_hand_back:
            repository.hand_back(job_id, token, "it leaves")
        else:
            repository.finish(job_id, token, EndReason.STALLED, "quiet")
    assert read(database, job_id).stalled_since is None


def test_one_that_an_older_program_left_behind_does_not_count(database: Database) -> None:
    job_id, token = running(database)
    _stall(database, job_id, token)
    with database.write() as repository:
        repository._session.execute(update(Job).where(Job.id == job_id).values(claimed_at=now(10)))
        assert repository.stalled() == 0
        assert repository.get(job_id).stalled is None


def test_a_late_word_changes_nothing(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.hand_back(job_id, token, "it leaves")
    claim(database, job_id)
    with pytest.raises(LeaseLost):
        _stall(database, job_id, token)
    with pytest.raises(LeaseLost), database.write() as repository:
        repository.note_progress(job_id, token)
    assert read(database, job_id).stalled is None


def test_an_end_that_the_version_before_does_not_know_has_one_that_it_does(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.STALLED, "quiet")
        written = repository._session.execute(text("SELECT end_reason FROM jobs")).scalar_one()
    assert written == "worker_lost"
    job = read(database, job_id)
    assert (job.state, job.reason) == (JobState.FAILED, EndReason.STALLED)
    assert events_of(database, job_id)[-1].data["reason"] == "stalled"


def test_an_end_of_a_newer_version_is_read_as_the_nearest(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.WORKER_LOST, "gone")
        repository._session.execute(update(Job).values(end_cause="struck_by_lightning"))
    assert read(database, job_id).reason is EndReason.WORKER_LOST


def test_attempts_that_stall_again_and_again_end_so(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.lose(job_id, token, 2, "attempt 1: quiet", EndReason.STALLED)
    token = claim(database, job_id)
    with database.write() as repository:
        repository.lose(job_id, token, 2, "attempt 2: quiet", EndReason.STALLED)
    job = read(database, job_id)
    assert (job.reason, job.end_detail) == (EndReason.STALLED, "2 attempts were lost; the last time, attempt 2: quiet")
