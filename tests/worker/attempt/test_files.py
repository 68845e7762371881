"""Which checkpoints are kept, and which one the next attempt goes on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.tables import Job
from kd_engine.runs.request import RunRequest
from kd_engine.schema.errors import DataError
from tests.kd_engine.small_runs import DIGITS
from tests.stores import content, damage
from tests.worker.conftest import SLOW, Running, claim, look
from worker.attempt.files import Attempt
from worker.context import Services

Submit = Callable[[dict[str, Any]], str]
Start = Callable[[str], Running]


@pytest.fixture
def job(services: Services, submit: Submit) -> Job:
    submit(DIGITS)
    claimed = claim(services)
    assert claimed is not None
    return claimed


def _save(attempt: Attempt, *contents: bytes) -> None:
    """As the trainer does, so many times."""
    attempt.folder.mkdir(parents=True, exist_ok=True)
    for checkpoint in contents:
        (attempt.folder / "checkpoint.safetensors").write_bytes(checkpoint)
        attempt.list_checkpoint()


def _stored(services: Services, job_id: str) -> list[bytes]:
    """What the listed checkpoints hold, oldest first."""
    with services.database.read() as repository:
        rows = repository.artifacts(job_id, kind="checkpoint")
    rows.sort(key=lambda row: (row.created_at, row.name))
    return [content(services.store, row.key) for row in rows]


def _resume_from(attempt: Attempt) -> bytes | None:
    attempt.prepare()
    _, options = RunRequest.read(attempt.folder)
    return None if options.resume_from is None else options.resume_from.read_bytes()


def _next_attempt(services: Services, job: Job) -> Attempt:
    with services.database.write() as repository:
        repository.hand_back(job.id, job.token, "to go on")
    again = claim(services)
    assert again is not None
    return Attempt(again, services)


def test_the_last_ones_are_kept_and_the_older_ones_removed(services: Services, job: Job) -> None:
    first = Attempt(job, services)
    _save(first, b"1", b"2", b"3")
    assert _stored(services, job.id) == [b"2", b"3"]
    second = _next_attempt(services, job)
    assert _resume_from(second) == b"3"
    _save(second, b"4")
    assert _stored(services, job.id) == [b"3", b"4"]
    files = [path for path in services.settings.artifacts_dir.rglob("*") if path.is_file()]
    assert len(files) == 2


def test_without_a_checkpoint_it_starts_afresh(services: Services, job: Job) -> None:
    assert _resume_from(Attempt(job, services)) is None


@pytest.mark.parametrize("fault", ["changed", "gone"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(services: Services, job: Job, fault: str) -> None:
    _save(Attempt(job, services), b"1", b"2")
    with services.database.read() as repository:
        newest = max(repository.artifacts(job.id, kind="checkpoint"), key=lambda row: (row.created_at, row.name))
    if fault == "gone":
        services.store.delete(newest.key)
    else:
        damage(services.store, newest.key)
    attempt = _next_attempt(services, job)
    assert _resume_from(attempt) == b"1"
    [warning] = attempt.warnings
    assert newest.name in warning
    assert "trying an older one" in warning


def test_with_all_of_them_damaged_it_starts_afresh(services: Services, job: Job) -> None:
    _save(Attempt(job, services), b"1", b"2")
    for path in services.settings.artifacts_dir.rglob("*.safetensors"):
        path.write_bytes(b"X")
    attempt = _next_attempt(services, job)
    assert _resume_from(attempt) is None
    assert len(attempt.warnings) == 2


def test_a_retry_goes_on_from_the_job_that_it_repeats(services: Services, job: Job) -> None:
    """Also when the first retry ended before it had a checkpoint of its own."""
    _save(Attempt(job, services), b"1", b"2")
    for _ in range(2):
        with services.database.write() as repository:
            repository.finish(job.id, job.token, EndReason.DISK_FULL)
            repository.retry(job.id)
        again = claim(services)
        assert again is not None
        assert _resume_from(Attempt(again, services)) == b"2"
        job = again
    own = Attempt(job, services)
    _save(own, b"3")
    assert _resume_from(_next_attempt(services, job)) == b"3"


def test_a_retry_of_a_job_that_was_deleted_starts_afresh(services: Services, job: Job) -> None:
    _save(Attempt(job, services), b"1")
    with services.database.write() as repository:
        repository.finish(job.id, job.token, EndReason.DISK_FULL)
        repository.retry(job.id)
        repository.delete(job.id)
    again = claim(services)
    assert again is not None
    assert _resume_from(Attempt(again, services)) is None


def test_the_trainer_is_told_the_device_and_when_to_save(services: Services, job: Job) -> None:
    attempt = Attempt(job, services)
    attempt.prepare()
    _, options = RunRequest.read(attempt.folder)
    assert (options.device, options.checkpoint_seconds, options.checkpoint_epochs) == ("cpu", 0.05, None)


def test_a_network_that_was_damaged_in_the_store_is_a_data_error(
    trained: str, services: Services, submit: Submit
) -> None:
    with services.database.read() as repository:
        key = repository.artifact(trained, "student.safetensors").key
    damage(services.store, key)
    submit(DIGITS | {"teacher": {"job": trained}})
    job = claim(services)
    assert job is not None
    with pytest.raises(DataError, match=r"the teacher cannot be had.*sha256"):
        Attempt(job, services).prepare()


def test_a_damaged_checkpoint_is_told_in_the_jobs_log(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(SLOW))
    running.until(lambda: len(_stored(services, running.job_id)) == 2)
    services.leaving.set()
    job = running.join()
    assert job.state is JobState.QUEUED
    with services.database.read() as repository:
        newest = max(repository.artifacts(job.id, kind="checkpoint"), key=lambda row: (row.created_at, row.name))
    damage(services.store, newest.key)
    services.leaving.clear()
    again = start(job.id)
    again.until(lambda: len(_started(services, job.id)) == 2)
    services.leaving.set()
    again.join()
    assert look(services, job.id).state is JobState.QUEUED
    with services.database.read() as repository:
        told = [line.line for line in repository.log(job.id, 0, 1000)]
    assert any("was damaged" in line for line in told)
    assert [event["resumed"] for event in _started(services, job.id)] == [False, True]


def _started(services: Services, job_id: str) -> list[dict[str, Any]]:
    with services.database.read() as repository:
        return [event.data for event in repository.events(job_id, 0, 1000) if event.type == "run_started"]


def test_a_trainer_is_told_what_it_may_hold(services: Services, job: Job) -> None:
    settings = services.settings.model_copy(update={"trainer_memory": 300 * 2**20})
    attempt = Attempt(job, replace(services, settings=settings))
    attempt.prepare()
    assert RunRequest.read(attempt.folder)[1].memory == 300 * 2**20
