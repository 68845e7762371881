"""Why a queued job waits; and that somebody else's job is not there."""

from __future__ import annotations

import pytest

from distillery.quota import NO_QUOTA, Quota
from jobs.database import Database
from jobs.errors import JobNotFound
from tests.jobs.samples import a_spec, create, running


def why(database: Database, device: str = "auto", quota: Quota = NO_QUOTA) -> str:
    with database.read() as repository:
        return repository.why_waiting(device, "local", quota, 0).code


@pytest.mark.parametrize(
    ("asked", "there", "code"),
    [("auto", None, "no_worker"), ("auto", "cpu", "turn"), ("auto", "cuda", "turn"), ("cpu", "cpu", "turn"),
     ("cpu", "cuda", "no_worker"), ("cuda", "cpu", "no_worker"), ("cuda", "cuda", "turn")],
)  # fmt: skip
def test_a_worker_for_its_device(database: Database, asked: str, there: str | None, code: str) -> None:
    if there is not None:
        with database.write() as repository:
            repository.beat("worker-1", there, None)
    assert why(database, asked) == code


def test_where_no_gpu_is_there_is_another_way(database: Database) -> None:
    with database.read() as repository:
        devices = ("auto", "cpu", "cuda")
        told = {device: repository.why_waiting(device, "local", NO_QUOTA, 0).detail for device in devices}
    assert "where a GPU is: KD_DEVICE=cuda python -m worker; or cancel the job" in told["cuda"]
    assert "GPU" not in told["auto"] + told["cpu"]


def test_a_quota_of_running_jobs(database: Database) -> None:
    with database.write() as repository:
        repository.beat("worker-1", "cpu", None)
    running(database)
    create(database)
    assert why(database, quota=Quota(running=2)) == "turn"
    running(database)
    assert why(database, quota=Quota(running=2)) == "quota"
    assert why(database) == "turn"


def test_a_look_tells_it_of_queued_jobs_alone(database: Database) -> None:
    waiting = database.snapshot(create(database))[1]
    assert waiting is not None
    assert waiting.code == "no_worker"
    assert database.snapshot(running(database)[0])[1] is None


def test_somebody_elses_job_is_not_there(database: Database) -> None:
    with database.write() as repository:
        job_id = repository.create(a_spec(), owner="vision").id
    with database.read() as repository:
        assert repository.get(job_id, "vision").id == repository.get(job_id).id == job_id
        with pytest.raises(JobNotFound):
            repository.get(job_id, "audio")
    assert database.snapshot(job_id, "vision")[0].owner == "vision"
    with pytest.raises(JobNotFound):
        database.snapshot(job_id, "audio")
