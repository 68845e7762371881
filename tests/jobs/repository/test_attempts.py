"""What a worker does to a job that it holds, and what it can no longer do to one that it lost. On both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.database import Database
from jobs.errors import ArtifactNotFound, LeaseLost
from jobs.repository import Repository
from jobs.tables import Job
from kd_engine.schema.events import Warned
from tests.jobs.samples import (
    LAPSED,
    a_file,
    all_at_once,
    an_epoch,
    claim,
    create,
    events_of,
    everything,
    pause,
    read,
    running,
    some_progress,
)

WRITES: dict[str, Callable[[Repository, str, int], Any]] = {
    "renew": lambda repository, job_id, token: repository.renew(job_id, token, 60),
    "record progress": lambda repository, job_id, token: repository.record(job_id, token, [some_progress(9)]),
    "record epoch": lambda repository, job_id, token: repository.record(job_id, token, [an_epoch(9)]),
    "record nothing": lambda repository, job_id, token: repository.record(job_id, token, []),
    "list result": lambda repository, job_id, token: repository.list_artifact(job_id, token, a_file("late")),
    "list checkpoint": lambda repository, job_id, token: repository.list_artifact(
        job_id, token, a_file("late", "checkpoint")
    ),
    "finish": lambda repository, job_id, token: repository.finish(job_id, token, EndReason.COMPLETED, "", [a_file()]),
    "lose": lambda repository, job_id, token: repository.lose(job_id, token, 3, "its trainer died"),
    "hand back": lambda repository, job_id, token: repository.hand_back(job_id, token, "shutdown"),
}


def test_a_claim_starts_an_attempt(database: Database) -> None:
    job_id = create(database)
    with database.write() as repository:
        job = repository.claim(job_id, "worker-1", 60)
    assert job is not None
    assert (job.state, job.attempt, job.token, job.worker) == (JobState.RUNNING, 1, 1, "worker-1")
    assert job.started_at is not None
    assert job.lease_expires is not None
    assert 59.9 < (job.lease_expires - job.started_at).total_seconds() <= 60.1
    assert everything(database, job_id)["job"] == {c.key: getattr(job, c.key) for c in Job.__table__.columns}
    claimed = events_of(database, job_id)[-1]
    assert (claimed.type, claimed.data, claimed.attempt) == ("claimed", {"worker": "worker-1", "attempt": 1}, 1)


def test_what_a_run_finds_in_its_spec_is_told_once(database: Database) -> None:
    odd = {"epochs": 3, "schedule": {"name": "constant", "warmup_epochs": 5}}
    job_id, token = running(database, training=odd)
    posted = read(database, job_id).warnings
    assert posted is not None
    one = {"code": "batch_of_one", "pointer": "/training/batch_size", "message": "one image"}

    with database.write() as repository:
        repository.record(job_id, token, [Warned.model_validate({"warnings": posted})])
    assert read(database, job_id).warnings == posted
    for _attempt in range(2):
        with database.write() as repository:
            repository.record(job_id, token, [Warned.model_validate({"warnings": [*posted, one]})])

    assert read(database, job_id).warnings == [*posted, one]
    told = [event.data for event in events_of(database, job_id) if event.type == "warned"]
    assert told == [{"warnings": [*posted, one]}]


def test_one_of_many_claims_wins(database: Database) -> None:
    job_id = create(database)

    def claim_as(worker: str) -> Callable[[Repository], Job | None]:
        return lambda repository: repository.claim(job_id, worker, 60)

    jobs = all_at_once(database, [claim_as(f"worker-{number}") for number in range(16)])
    winners = [job for job in jobs if job is not None]
    assert len(winners) == 1
    job = read(database, job_id)
    assert (job.attempt, job.token, job.worker) == (1, 1, winners[0].worker)
    assert [event.type for event in events_of(database, job_id)] == ["created", "claimed"]


@pytest.mark.parametrize("state", ["running", "paused", "succeeded", "failed", "cancelled"])
def test_only_a_queued_job_is_claimed(database: Database, state: str) -> None:
    job_id, token = running(database)
    if state == "paused":
        pause(database, job_id)
    elif state != "running":
        reason = {"succeeded": EndReason.COMPLETED, "failed": EndReason.DIVERGED, "cancelled": EndReason.CANCELLED}
        with database.write() as repository:
            repository.finish(job_id, token, reason[state])
    before = everything(database, job_id)
    with database.write() as repository:
        assert repository.claim(job_id, "worker-2", 60) is None
    assert everything(database, job_id) == before


def test_a_renewal_moves_the_end_of_the_lease_and_nothing_that_a_reader_sees(database: Database) -> None:
    job_id, token = running(database)
    before = read(database, job_id)
    with database.write() as repository:
        wishes = repository.renew(job_id, token, 600)
    after = read(database, job_id)
    assert (wishes.cancel_requested, wishes.pause_requested) == (False, False)
    assert after.version == before.version
    assert before.lease_expires is not None
    assert after.lease_expires is not None
    assert (after.lease_expires - before.lease_expires).total_seconds() >= 540


@pytest.mark.parametrize("write", WRITES)
def test_a_write_under_an_old_token_changes_nothing(database: Database, write: str) -> None:
    job_id = create(database)
    old = claim(database, job_id, lease=LAPSED)
    with database.write() as repository:
        repository.record(job_id, old, [an_epoch(1)])
        repository.expire_leases(max_lost=3)
    while_queued = everything(database, job_id)
    with database.write() as repository, pytest.raises(LeaseLost):
        WRITES[write](repository, job_id, old)
    assert everything(database, job_id) == while_queued
    new = claim(database, job_id, "worker-2")
    assert new == old + 1
    while_running = everything(database, job_id)
    with database.write() as repository, pytest.raises(LeaseLost, match=f"token {old}"):
        WRITES[write](repository, job_id, old)
    assert everything(database, job_id) == while_running
    with database.write() as repository:
        WRITES[write](repository, job_id, new)


@pytest.mark.parametrize("reason", [EndReason.COMPLETED, EndReason.OUT_OF_MEMORY, EndReason.CANCELLED])
def test_a_write_after_the_end_changes_nothing(database: Database, reason: EndReason) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.finish(job_id, token, reason, "the first word stands")
    before = everything(database, job_id)
    for write in WRITES.values():
        with database.write() as repository, pytest.raises(LeaseLost):
            write(repository, job_id, token)
    assert everything(database, job_id) == before


def test_a_write_to_a_job_that_does_not_exist(database: Database) -> None:
    for write in WRITES.values():
        with database.write() as repository, pytest.raises(LeaseLost):
            write(repository, "job_0", 1)


def test_listing_a_file_again_replaces_it_and_tells_the_old_key(database: Database) -> None:
    job_id, token = running(database)
    before = read(database, job_id).version
    with database.write() as repository:
        assert repository.list_artifact(job_id, token, a_file(key="k1")) is None
        assert repository.list_artifact(job_id, token, a_file(key="k1")) is None
        assert repository.list_artifact(job_id, token, a_file(key="k2")) == "k1"
        assert repository.list_artifact(job_id, token, a_file("c", "checkpoint", "k3")) is None
        assert [row.key for row in repository.artifacts(job_id)] == ["k2"]
        assert [row.key for row in repository.artifacts(job_id, "checkpoint")] == ["k3"]
        assert repository.artifact(job_id, "report.json").key == "k2"
    # Readers do not see a checkpoint, so it is no change for them.
    assert read(database, job_id).version == before + 3


@pytest.mark.parametrize("name", ["c", "no", "", "../report.json", "report.json\0", "\ud800"])
def test_a_file_that_the_job_does_not_have(database: Database, name: str) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.list_artifact(job_id, token, a_file())
        repository.list_artifact(job_id, token, a_file("c", "checkpoint", "k"))
        with pytest.raises(ArtifactNotFound):
            repository.artifact(job_id, name)


@pytest.mark.parametrize("reason", EndReason)
def test_a_job_ends_once_in_the_state_of_its_reason(database: Database, reason: EndReason) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.list_artifact(job_id, token, a_file("checkpoint", "checkpoint", "k1"))
        unlisted = repository.finish(job_id, token, reason, "why\0 \ud800", [a_file()])
        kept = [row.key for row in repository.artifacts(job_id, "checkpoint")]
        assert (unlisted, kept) == (([], ["k1"]) if reason.retryable else (["k1"], [])), "for a retry to go on from"
        assert [row.name for row in repository.artifacts(job_id)] == ["report.json"]
    job = read(database, job_id)
    assert (job.state, job.reason, job.end_detail) == (reason.state, reason, "why ?")
    assert job.finished_at is not None
    assert job.lease_expires is None
    ended = [event.data for event in events_of(database, job_id) if event.type == "ended"]
    assert ended == [{"state": reason.state, "reason": reason, "detail": "why ?"}]


def test_an_end_that_was_asked_for_too_late_is_the_end_that_came(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.request_cancel(job_id)
        repository.finish(job_id, token, EndReason.COMPLETED)
    assert read(database, job_id).state is JobState.SUCCEEDED


def test_a_job_handed_back_is_queued_and_due_at_once(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.hand_back(job_id, token, "the worker is shutting down")
    job = read(database, job_id)
    assert (job.state, job.lost_attempts, job.worker) == (JobState.QUEUED, 0, None)
    assert job.queued_at >= job.created_at
    event = events_of(database, job_id)[-1]
    assert (event.type, event.data) == ("requeued", {"why": "the worker is shutting down"})
    first_start = job.started_at
    assert claim(database, job_id) == token + 1
    again = read(database, job_id)
    assert (again.attempt, again.started_at) == (2, first_start)


def test_a_job_handed_back_that_was_to_be_cancelled_is_cancelled(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.request_cancel(job_id)
        repository.hand_back(job_id, token, "shutdown")
    assert read(database, job_id).state is JobState.CANCELLED


def test_a_job_whose_trainer_died_is_queued_until_the_cap(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.lose(job_id, token, 2, "its trainer was killed by signal 9")
    job = read(database, job_id)
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 1)
    assert events_of(database, job_id)[-1].data == {"why": "its trainer was killed by signal 9"}
    token = claim(database, job_id)
    with database.write() as repository:
        repository.lose(job_id, token, 2, "its trainer was killed by signal 9")
    job = read(database, job_id)
    assert (job.state, job.end_reason, job.lost_attempts) == (JobState.FAILED, EndReason.WORKER_LOST, 2)
    assert job.end_detail is not None
    assert "killed by signal 9" in job.end_detail


def test_a_job_whose_trainer_died_when_it_was_to_be_cancelled_is_cancelled(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.request_cancel(job_id)
        repository.lose(job_id, token, 1, "its trainer died")
    assert read(database, job_id).state is JobState.CANCELLED
