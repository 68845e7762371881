"""A job that has waited longer than it may is ended: by the database's clock, once, and told as any end is."""

from __future__ import annotations

import time

from distillery.states import EndReason, JobState
from jobs.database import Database
from tests.jobs.samples import LAPSED, a_file, a_spec, all_at_once, claim, create, events_of, everything, pause, read

SHORT = 0.001
HOOK = [{"url": "https://example.org/hook"}]


def _waiting(database: Database, seconds: float | None, device: str = "auto", **changes: object) -> str:
    limit = {} if seconds is None else {"queue_timeout_seconds": seconds}
    return create(database, resources={"device": device} | limit, **changes)


def _sweep(database: Database, limit: int = 100) -> list[str]:
    time.sleep(0.02)  # longer than SHORT
    with database.write() as repository:
        return repository.expire_waits(limit)


def test_only_who_has_a_limit_and_is_beyond_it_is_ended(database: Database) -> None:
    left_alone = [
        _waiting(database, None),
        _waiting(database, 60),
        _waiting(database, SHORT),
        _waiting(database, SHORT),
    ]
    claim(database, left_alone[2])
    pause(database, left_alone[3])
    before = [everything(database, job_id) for job_id in left_alone]
    overdue = _waiting(database, SHORT, "cuda", webhooks=HOOK)
    assert _sweep(database) == [overdue]
    assert [everything(database, job_id) for job_id in left_alone] == before

    job, event = read(database, overdue), events_of(database, overdue)[-1]
    assert (job.state, job.reason) == (JobState.CANCELLED, EndReason.QUEUE_TIMEOUT)
    # programs of the version before read this one
    assert job.end_reason is EndReason.CANCELLED
    assert job.end_detail == (
        "it waited longer than the 0.001 seconds that resources.queue_timeout_seconds allows. No worker with device "
        "'cuda' was heard in the last 60 seconds."
    )
    assert (event.type, event.data["state"], event.data["reason"]) == ("ended", "cancelled", "queue_timeout")
    with database.read() as repository:
        assert len(repository.deliveries(overdue)) == 1


def test_the_time_counts_from_when_it_was_last_queued(database: Database) -> None:
    job_id = _waiting(database, 0.5)
    time.sleep(0.6)
    pause(database, job_id)
    with database.write() as repository:
        repository.resume(job_id)
        assert repository.expire_waits(100) == []


def test_it_is_ended_once_and_in_parts(database: Database) -> None:
    jobs = {_waiting(database, SHORT) for _ in range(5)}
    time.sleep(0.02)
    found = all_at_once(database, [lambda repository: repository.expire_waits(2)] * 2)
    ended = [*found[0], *found[1], *_sweep(database)]
    assert sorted(ended) == sorted(jobs)
    assert all(len([1 for event in events_of(database, job) if event.type == "ended"]) == 1 for job in jobs)


def test_a_retry_goes_on_from_what_there_is_and_may_wait_as_long_again(database: Database) -> None:
    job_id = _waiting(database, SHORT)
    token = claim(database, job_id, lease=LAPSED)
    with database.write() as repository:
        repository.list_checkpoint(job_id, token, a_file("checkpoint-1", "checkpoint"), 2)
        repository.hand_back(job_id, token, "a deploy")
    assert _sweep(database) == [job_id]
    with database.write() as repository:
        assert [row.name for row in repository.artifacts(job_id, "checkpoint")] == ["checkpoint-1"]
        again, _ = repository.retry(job_id)
    assert again.spec == a_spec(resources={"device": "auto", "queue_timeout_seconds": SHORT}).to_json()
    assert _sweep(database) == [again.id]
