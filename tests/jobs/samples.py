"""What the tests of this room begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from jobs.artifacts import ArtifactInfo
from jobs.database import Database
from jobs.repository import Repository
from jobs.tables import Artifact, Base, Job, JobEvent, Metric
from kd_engine.jobspec import JobSpec
from kd_engine.schema.events import EpochEnd, PhaseEnded, Progress
from kd_engine.schema.phases import Phase

_T = TypeVar("_T")
LAPSED = -1.0
"""A lease that is over before it begins, so that no test has to wait for the end of one."""


def a_spec(**changes: Any) -> JobSpec:
    """A short spec, resolved."""
    body = {"dataset": "mnist", "teacher": "mnist_cnn", "student": "softmax_regression", "temperature": 5, **changes}
    return JobSpec.model_validate(body).resolved()


def create(database: Database, **changes: Any) -> str:
    """A new queued job; its id."""
    with database.write() as repository:
        return repository.create(a_spec(**changes)).id


def claim(database: Database, job_id: str, worker: str = "worker-1", lease: float = 60) -> int:
    """Claims a job that is queued; its token."""
    with database.write() as repository:
        job = repository.claim(job_id, worker, lease)
    assert job is not None
    return job.token


def running(database: Database, **changes: Any) -> tuple[str, int]:
    """A new running job; its id and token."""
    job_id = create(database, **changes)
    return job_id, claim(database, job_id)


def read(database: Database, job_id: str) -> Job:
    with database.read() as repository:
        return repository.get(job_id)


def events_of(database: Database, job_id: str) -> list[JobEvent]:
    with database.read() as repository:
        return repository.events(job_id, 0, 10_000)


def everything(database: Database, job_id: str) -> dict[str, Any]:
    """All that is stored of a job, to compare before and after."""
    with database.read() as repository:
        return {
            "job": _columns(repository.get(job_id)),
            "events": [_columns(row) for row in repository.events(job_id, 0, 10_000)],
            "metrics": [_columns(row) for row in repository.metrics(job_id)],
            "artifacts": [
                _columns(row) for kind in ("result", "checkpoint") for row in repository.artifacts(job_id, kind)
            ],
        }


def _columns(row: Base) -> dict[str, Any]:
    assert isinstance(row, Job | JobEvent | Metric | Artifact)
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def an_epoch(epoch: int, phase: Phase = "student", repeat: int = 0, **metrics: float) -> EpochEnd:
    return EpochEnd(phase=phase, repeat=repeat, epoch=epoch, epochs=12, metrics=metrics or {"val_accuracy": 0.5})


def a_phase_end(phase: Phase = "student", repeat: int = 0) -> PhaseEnded:
    return PhaseEnded(phase=phase, repeat=repeat, source="trained", metrics={"test_accuracy": 0.9})


def some_progress(step: int) -> Progress:
    return Progress(
        phase="student", repeat=0, epoch=1, step=step, steps=100, fraction=step / 100, seconds_remaining=None
    )


def a_file(name: str = "report.json", kind: str = "result", key: str = "job_1/1/report.json") -> ArtifactInfo:
    return ArtifactInfo(name=name, kind=kind, media_type="application/json", size=3, sha256="a" * 64, key=key)


def pause(database: Database, job_id: str) -> None:
    """Makes a queued job paused."""
    with database.write() as repository:
        repository.request_pause(job_id)


def all_at_once(database: Database, acts: Sequence[Callable[[Repository], _T]]) -> list[_T]:
    """Each of `acts` in a thread and a transaction of its own, let go at the same moment."""
    gate = Barrier(len(acts))

    def one(act: Callable[[Repository], _T]) -> _T:
        gate.wait()
        with database.write() as repository:
            return act(repository)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))
