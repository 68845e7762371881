"""What the cases are made of: jobs of known lengths, and what is waited for and compared."""

from __future__ import annotations

import json
from typing import Any

from distillery.states import JobState
from tests.faults.stack import Stack

# Seconds of training: long enough to be hit in the middle, short enough for many.
SHORT: dict[str, Any] = {
    "dataset": "digits",
    "teacher": {"model": "mnist_cnn", "params": {"channels": [4, 8], "hidden": 32}, "training": {"epochs": 2}},
    "student": {"model": "mlp", "params": {"hidden": [16], "dropout": 0.1}},
    "training": {"epochs": 3, "batch_size": 256},
    "baseline": False,
    "export": [],
}
LONG: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 12, "batch_size": 128}}
# some hundred events
EVENTFUL: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 60, "batch_size": 128}}
LONGER: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 150, "batch_size": 128}}
ENDLESS: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 400, "batch_size": 128}}


_STUDENTS: dict[str, str] = {}  # of undisturbed runs, by spec: no database, broker or fault makes a difference to them


def student_of(stack: Stack, job_id: str) -> str:
    """The sha256 of the job's student."""
    with stack.database.read() as repository:
        return repository.artifact(job_id, "student.safetensors").sha256


def undisturbed(stack: Stack, spec: dict[str, Any]) -> str:
    """The sha256 of the student that `spec` gives when nothing happens; the first case that asks runs it."""
    known = json.dumps(spec, sort_keys=True)
    if known not in _STUDENTS:
        job_id = stack.submit(spec)
        stack.wait_ended(job_id)
        assert stack.job(job_id).state is JobState.SUCCEEDED, stack.job(job_id).end_detail
        _STUDENTS[known] = student_of(stack, job_id)
    return _STUDENTS[known]


def check_student(stack: Stack, job_id: str, expected: str) -> None:
    """The job has succeeded, with this student."""
    job = stack.job(job_id)
    assert job.state is JobState.SUCCEEDED, job.end_detail
    assert student_of(stack, job_id) == expected, "the student is not that of an undisturbed run"


def wait_moving(stack: Stack, job_id: str, epochs: int = 1, seconds: float = 60.0) -> None:
    """Until the job runs and has done so many epochs."""

    def moves() -> bool:
        with stack.database.read() as repository:
            return len(repository.metrics(job_id)) >= epochs

    stack.until(moves, seconds, f"{epochs} epochs of {job_id}")


def no_trainer(stack: Stack, job_id: str) -> bool:
    return not stack.trainers(job_id)
