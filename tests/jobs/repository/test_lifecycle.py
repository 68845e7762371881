"""Creation, idempotency keys, cancelling and deletion, on both databases."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from distillery.states import EndReason, JobState
from jobs.database import Database
from jobs.errors import ArtifactNotFound, JobNotFound, KeyReused, WrongState
from jobs.repository import JobFilter, Repository
from kd_engine.jobspec import JobSpec
from tests.jobs.samples import (
    LAPSED,
    a_file,
    a_spec,
    all_at_once,
    an_epoch,
    claim,
    create,
    events_of,
    everything,
    pause,
    read,
    running,
)

ENDS = [EndReason.COMPLETED, EndReason.DATA_ERROR]
BODY, OTHER_BODY = "a" * 64, "b" * 64


def test_a_new_job_is_queued_and_holds_its_spec(database: Database) -> None:
    spec = a_spec(name="first", labels={"team": "vision", "ü": "ß 😀"})
    with database.write() as repository:
        made = repository.create(spec)
    job = read(database, made.id)
    assert (made.id, made.version, made.created_at) == (job.id, job.version, job.created_at)
    assert job.state is JobState.QUEUED
    assert JobSpec.model_validate(job.spec) == spec
    assert job.labels == {"team": "vision", "ü": "ß 😀"}
    assert (job.name, job.dataset, job.student, job.device) == ("first", "mnist", "softmax_regression", "auto")
    assert (job.version, job.attempt, job.token, job.lost_attempts, job.last_event) == (1, 0, 0, 0, 1)
    assert (job.progress, job.metrics, job.end_reason, job.lease_expires) == (None,) * 4
    assert [(event.seq, event.type) for event in events_of(database, job.id)] == [(1, "created")]


def test_a_name_that_a_database_cannot_hold_does_no_harm(database: Database) -> None:
    spec = a_spec().model_copy(update={"name": "a\0b\ud800", "labels": {"k\0": "v\0", "k": "v"}})
    with database.write() as repository:
        job_id = repository.create(spec).id
    assert read(database, job_id).name == "ab?"
    with database.read() as repository:
        assert [job.id for job in repository.list_jobs(JobFilter(labels={"k": "v"}), before=None, limit=9)] == [job_id]


def test_an_exception_takes_a_new_job_back(database: Database) -> None:
    with pytest.raises(JobNotFound), database.write() as repository:  # noqa: PT012
        repository.create(a_spec())
        repository.get("job_0")
    with database.read() as repository:
        assert repository.list_jobs(JobFilter(), before=None, limit=10) == []


def test_the_same_key_and_body_give_the_same_job(database: Database) -> None:
    with database.write() as repository:
        first = repository.create(a_spec(), idempotency=("key", BODY))
    with database.write() as repository:
        second = repository.create(a_spec(), idempotency=("key", BODY))
        found = repository.find_by_key("key", BODY)
        unknown = repository.find_by_key("another", BODY)
    assert found is not None
    assert first.id == second.id == found.id
    assert unknown is None
    assert len(events_of(database, first.id)) == 1


def test_the_same_key_with_another_body_is_refused(database: Database) -> None:
    with database.write() as repository:
        repository.create(a_spec(), idempotency=("key", BODY))
    with database.write() as repository, pytest.raises(KeyReused, match="'key' came before with another body"):
        repository.create(a_spec(), idempotency=("key", OTHER_BODY))
    with database.read() as repository, pytest.raises(KeyReused):
        repository.find_by_key("key", OTHER_BODY)


def test_parallel_creates_with_one_key_make_one_job(database: Database) -> None:
    spec = a_spec(labels={"a": "b"})
    jobs = all_at_once(database, [lambda repository: repository.create(spec, idempotency=("key", BODY)).id] * 20)
    assert len(set(jobs)) == 1
    with database.read() as repository:
        assert [job.id for job in repository.list_jobs(JobFilter(), before=None, limit=50)] == [jobs[0]]


def test_cancelling_a_queued_job_ends_it(database: Database) -> None:
    job_id = create(database)
    with database.write() as repository:
        job = repository.request_cancel(job_id)
    assert (job.state, job.end_reason, job.version) == (JobState.CANCELLED, EndReason.CANCELLED, 2)
    assert job.finished_at is not None
    ended = events_of(database, job_id)[-1]
    assert (ended.type, ended.data["state"], ended.data["reason"]) == ("ended", "cancelled", "cancelled")


def test_cancelling_a_paused_job_ends_it(database: Database) -> None:
    job_id = create(database)
    pause(database, job_id)
    with database.write() as repository:
        assert repository.request_cancel(job_id).state is JobState.CANCELLED


def test_cancelling_a_running_job_asks_its_worker_to(database: Database) -> None:
    job_id, token = running(database)
    before = read(database, job_id).version
    with database.write() as repository:
        job = repository.request_cancel(job_id)
    assert (job.state, job.cancel_requested, job.version) == (JobState.RUNNING, True, before + 1)
    assert events_of(database, job_id)[-1].type == "cancel_requested"
    with database.write() as repository:
        assert repository.renew(job_id, token, 60).cancel_requested


@pytest.mark.parametrize("start", ["queued", "running"])
def test_cancelling_twice_changes_nothing_more(database: Database, start: str) -> None:
    job_id = create(database)
    if start == "running":
        claim(database, job_id)
    with database.write() as repository:
        repository.request_cancel(job_id)
    once = everything(database, job_id)
    with database.write() as repository:
        repository.request_cancel(job_id)
    assert everything(database, job_id) == once


@pytest.mark.parametrize("reason", ENDS)
def test_a_finished_job_cannot_be_cancelled(database: Database, reason: EndReason) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.finish(job_id, token, reason)
    before = everything(database, job_id)
    with database.write() as repository, pytest.raises(WrongState, match=f"is {reason.state}") as caught:
        repository.request_cancel(job_id)
    assert caught.value.state is reason.state
    assert everything(database, job_id) == before


def test_cancelling_at_the_moment_of_the_end_leaves_one_end(database: Database) -> None:
    job_id, token = running(database)

    def cancel(repository: Repository) -> None:
        with suppress(WrongState):
            repository.request_cancel(job_id)

    def finish(repository: Repository) -> None:
        repository.finish(job_id, token, EndReason.COMPLETED)

    all_at_once(database, [cancel, finish, cancel])
    assert read(database, job_id).state is JobState.SUCCEEDED
    assert [event.type for event in events_of(database, job_id)].count("ended") == 1


@pytest.mark.parametrize("job_id", ["job_0", "", "job_", "job_1' OR '1'='1", "job_\0", "job_\ud800", "x" * 10_000])
def test_a_job_that_does_not_exist(database: Database, job_id: str) -> None:
    with database.write() as repository:
        for act in (repository.get, repository.request_cancel, repository.delete):
            with pytest.raises(JobNotFound):
                act(job_id)
        assert repository.claim(job_id, "worker", 60) is None


@pytest.mark.parametrize("start", ["queued", "paused", "running"])
def test_a_job_that_has_not_ended_cannot_be_deleted(database: Database, start: str) -> None:
    job_id = create(database)
    if start == "running":
        claim(database, job_id)
    if start == "paused":
        pause(database, job_id)
    with database.write() as repository, pytest.raises(WrongState, match=f"is {start}; .* cancel it first"):
        repository.delete(job_id)
    assert read(database, job_id).state == start


def test_deleting_a_job_takes_all_that_belongs_to_it(database: Database) -> None:
    with database.write() as repository:
        job_id = repository.create(a_spec(labels={"a": "b"}), idempotency=("key", BODY)).id
    token = claim(database, job_id)
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(1)])
        repository.finish(job_id, token, EndReason.COMPLETED, artifacts=[a_file(key="k1"), a_file("b", key="k2")])
    other = create(database, labels={"a": "b"})
    with database.write() as repository:
        assert sorted(repository.delete(job_id)) == ["k1", "k2"]
    with database.write() as repository:
        with pytest.raises(JobNotFound):
            repository.get(job_id)
        with pytest.raises(JobNotFound):
            repository.delete(job_id)
        with pytest.raises(ArtifactNotFound):
            repository.artifact(job_id, "report.json")
        assert repository.events(job_id, 0, 10) == []
        assert repository.metrics(job_id) == []
        assert repository.find_by_key("key", BODY) is None
        assert [job.id for job in repository.list_jobs(JobFilter(labels={"a": "b"}), before=None, limit=9)] == [other]


def test_deleting_a_job_gives_the_keys_of_its_checkpoints_too(database: Database) -> None:
    job_id = create(database)
    token = claim(database, job_id, lease=LAPSED)
    with database.write() as repository:
        repository.list_artifact(job_id, token, a_file("checkpoint", "checkpoint", key="left behind"))
        repository.expire_leases(max_lost=1)
    with database.write() as repository:
        assert repository.delete(job_id) == ["left behind"]


def test_a_queued_job_pauses_at_once_and_goes_on_when_told(database: Database) -> None:
    job_id = create(database)
    with database.write() as repository:
        assert repository.request_pause(job_id).state is JobState.PAUSED
        assert repository.request_pause(job_id).version == 2, "asked again, nothing changes"
        assert repository.claim(job_id, "worker", 60) is None
        assert repository.resume(job_id).state is JobState.QUEUED
        assert repository.resume(job_id).version == 3
    assert [event.type for event in events_of(database, job_id)] == ["created", "paused", "resumed"]


def test_a_running_job_pauses_when_its_worker_obeys(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        assert repository.request_pause(job_id).state is JobState.RUNNING
        assert repository.renew(job_id, token, 60).pause_requested
        repository.hand_back(job_id, token, "stopped as asked")
    job = read(database, job_id)
    assert (job.state, job.pause_requested, job.worker, job.lost_attempts) == (JobState.PAUSED, False, None, 0)


def test_a_wish_to_pause_can_be_taken_back(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.request_pause(job_id)
        assert not repository.resume(job_id).pause_requested
        repository.hand_back(job_id, token, "deploy")
    assert read(database, job_id).state is JobState.QUEUED


def test_a_wish_to_cancel_goes_before_one_to_pause(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.request_pause(job_id)
        repository.request_cancel(job_id)
        repository.hand_back(job_id, token, "stopped as asked")
    assert read(database, job_id).state is JobState.CANCELLED


def test_a_job_that_ended_neither_pauses_nor_goes_on(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.COMPLETED)
        for wish in (repository.request_pause, repository.resume, repository.retry):
            with pytest.raises(WrongState):
                wish(job_id)


def test_a_retry_is_a_new_job_and_there_is_one_of_it(database: Database) -> None:
    job_id, token = running(database, name="again", labels={"a": "b"})
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.DISK_FULL, "full")
    before = everything(database, job_id)
    found = all_at_once(database, [lambda repository: repository.retry(job_id)] * 8)
    (again,) = {job.id for job, _ in found}
    assert [made for _, made in found].count(True) == 1
    assert everything(database, job_id) == before
    job = read(database, again)
    assert (job.state, job.retry_of, job.labels, job.spec) == (
        JobState.QUEUED, job_id, {"a": "b"}, read(database, job_id).spec,
    )  # fmt: skip
    assert events_of(database, again)[0].data == {"name": "again", "retry_of": job_id}


def test_how_long_a_job_ran_is_summed_over_its_attempts(database: Database) -> None:
    job_id, token = running(database)
    time.sleep(0.05)
    with database.write() as repository:
        repository.hand_back(job_id, token, "deploy")
    first = read(database, job_id)
    assert first.ran_ms >= 45
    assert first.claimed_at is None
    token = claim(database, job_id)
    time.sleep(0.05)
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.COMPLETED)
    assert read(database, job_id).ran_ms >= first.ran_ms + 45


def test_two_owners_may_use_the_same_idempotency_key(database: Database) -> None:
    with database.write() as repository:
        ours = repository.create(a_spec(), owner="a", idempotency=("key", BODY))
        theirs = repository.create(a_spec(), owner="b", idempotency=("key", OTHER_BODY))
        assert ours.id != theirs.id
        assert repository.find_by_key("key", BODY, "a") is not None
        assert repository.find_by_key("key", BODY, "c") is None


@pytest.mark.parametrize("reason", [EndReason.WORKER_LOST, EndReason.DIVERGED])
def test_a_retry_that_goes_on_from_a_checkpoint_has_the_epochs_before_it(database: Database, reason: EndReason) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(1), an_epoch(2)])
        repository.finish(job_id, token, reason)
        again, made = repository.retry(job_id)
        assert made
        taken = [(row.phase, row.epoch, row.values) for row in repository.metrics(again.id)]
        before = [(row.phase, row.epoch, row.values) for row in repository.metrics(job_id)]
    assert taken == (before if reason.retryable else [])
