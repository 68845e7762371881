"""The newest checkpoints are listed, the older ones let go; nobody but the holder of the job may list any."""

from __future__ import annotations

import pytest

from jobs.artifacts import ArtifactInfo
from jobs.database import Database
from jobs.errors import LeaseLost
from kd_engine.jobspec import parse_spec

SPEC = {"dataset": "digits", "teacher": "mnist_cnn", "student": "softmax_regression"}


def _checkpoint(number: int, key: str = "") -> ArtifactInfo:
    name = f"checkpoint-1-{number}.safetensors"
    return ArtifactInfo(name, "checkpoint", "application/octet-stream", 1, "0" * 64, key or f"key-{number}")


@pytest.fixture
def job_id(database: Database) -> str:
    with database.write() as repository:
        job = repository.create(parse_spec(SPEC).resolved())
        repository.claim(job.id, "me", 60)
    return job.id


def _list(database: Database, job_id: str, info: ArtifactInfo, keep: int, token: int = 1) -> list[str]:
    with database.write() as repository:
        return repository.list_checkpoint(job_id, token, info, keep)


def test_the_newest_stay(database: Database, job_id: str) -> None:
    dropped = [_list(database, job_id, _checkpoint(number), 2) for number in range(1, 6)]
    assert dropped == [[], [], ["key-1"], ["key-2"], ["key-3"]]
    with database.read() as repository:
        assert [row.key for row in repository.artifacts(job_id, kind="checkpoint")] == ["key-4", "key-5"]


def test_fewer_kept_than_before_lets_all_others_go(database: Database, job_id: str) -> None:
    for number in range(1, 4):
        _list(database, job_id, _checkpoint(number), 3)
    assert sorted(_list(database, job_id, _checkpoint(4), 1)) == ["key-1", "key-2", "key-3"]


def test_results_are_no_checkpoints(database: Database, job_id: str) -> None:
    with database.write() as repository:
        repository.list_artifact(job_id, 1, ArtifactInfo("report.json", "result", "application/json", 1, "", "r"))
    _list(database, job_id, _checkpoint(1), 1)
    with database.read() as repository:
        assert [row.key for row in repository.artifacts(job_id)] == ["r"]


def test_one_of_the_same_name_is_replaced(database: Database, job_id: str) -> None:
    _list(database, job_id, _checkpoint(1), 2)
    assert _list(database, job_id, _checkpoint(1, "again"), 2) == ["key-1"]


def test_another_attempt_lists_nothing(database: Database, job_id: str) -> None:
    with pytest.raises(LeaseLost):
        _list(database, job_id, _checkpoint(1), 2, token=2)
    with database.read() as repository:
        assert repository.artifacts(job_id, kind="checkpoint") == []


@pytest.mark.parametrize("way", ["cancelled while paused", "cancelled, then lost"])
def test_a_job_that_ends_away_from_its_worker_leaves_none(database: Database, job_id: str, way: str) -> None:
    """No retry would go on from them, and they would count among its owner's bytes."""
    _list(database, job_id, _checkpoint(1), 2)
    with database.write() as repository:
        if way == "cancelled while paused":
            repository.request_pause(job_id)
            repository.hand_back(job_id, 1, "stopped as asked")
            repository.request_cancel(job_id)
        else:
            repository.request_cancel(job_id)
            repository.lose(job_id, 1, 3, "its trainer died")
        assert repository.artifacts(job_id, kind="checkpoint") == []
        assert repository.usage("local").bytes == 0
        assert repository.unnamed(["key-1"]) == {"key-1"}, "for the garbage collector"


def test_a_job_that_was_lost_too_often_keeps_them_for_its_retry(database: Database, job_id: str) -> None:
    _list(database, job_id, _checkpoint(1), 2)
    with database.write() as repository:
        repository.lose(job_id, 1, 1, "its trainer died")
        assert [row.key for row in repository.artifacts(job_id, kind="checkpoint")] == ["key-1"]
