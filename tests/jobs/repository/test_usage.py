"""What an owner has, and when there is no room for more."""

from __future__ import annotations

import pytest

from distillery.quota import NO_QUOTA, Quota
from distillery.states import EndReason
from jobs.database import Database
from jobs.errors import OverQuota
from jobs.repository import Usage
from tests.jobs.samples import a_file, a_spec, all_at_once, create, pause, running

SPEC = a_spec(repeats=2, training={"epochs": 10}, teacher={"model": "mnist_cnn", "training": {"epochs": 3}})


def used(database: Database, owner: str = "local") -> Usage:
    with database.read() as repository:
        return repository.usage(owner)


def test_use_counts_what_has_not_ended_and_what_is_stored(database: Database) -> None:
    job_id, token = running(database, training={"epochs": 10}, baseline=False)
    paused = create(database, training={"epochs": 1})
    pause(database, paused)
    with database.write() as repository:
        repository.create(SPEC, owner="another")
        repository.list_artifact(job_id, token, a_file())
    teacher = 12
    assert used(database) == Usage(running=1, queued=1, bytes=3, epochs=10 + teacher + 2 * 1 + teacher)
    assert used(database, "another") == Usage(running=0, queued=1, bytes=0, epochs=2 * 2 * 10 + 3)
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.COMPLETED)
    assert used(database) == Usage(running=0, queued=1, bytes=3, epochs=2 + teacher)


@pytest.mark.parametrize(
    ("quota", "which", "says"),
    [
        (Quota(queued=2), "queued", "2 of your jobs are waiting, and 2 may"),
        (Quota(bytes=3), "bytes", "take 3 bytes, and 3 are allowed"),
        (Quota(epochs=100), "epochs", "plan 122 epochs, this one 43 more, and 100 are allowed"),
    ],
)
def test_over_a_quota_a_new_job_is_refused(database: Database, quota: Quota, which: str, says: str) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.list_artifact(job_id, token, a_file())
        for _ in range(2):
            repository.create(SPEC)
    with pytest.raises(OverQuota, match=says) as refused, database.write() as repository:
        repository.create(SPEC, quota=quota)
    assert refused.value.quota == which
    with database.write() as repository:
        repository.create(SPEC, owner="another", quota=quota)


def test_a_repeated_request_is_answered_also_over_the_quota(database: Database) -> None:
    with database.write() as repository:
        first = repository.create(SPEC, quota=Quota(queued=1), idempotency=("key", "a" * 64))
        again = repository.create(SPEC, quota=Quota(queued=1), idempotency=("key", "a" * 64))
    assert again.id == first.id


def test_requests_at_once_do_not_go_beyond_a_quota_together(database: Database) -> None:
    def post(repository: object) -> str | None:
        try:
            return repository.create(SPEC, quota=Quota(queued=3)).id  # type: ignore[attr-defined]
        except OverQuota:
            return None

    made = all_at_once(database, [post] * 8)
    assert sum(job is not None for job in made) == 3


def test_an_owners_own_limits_go_before_those_of_all() -> None:
    own, general = Quota(running=5), Quota(running=1, queued=10)
    assert own.or_else(general) == Quota(running=5, queued=10)
    assert NO_QUOTA.or_else(general) == general
