"""The checks of a new job that need more than its spec: is the data there, and can the teacher be had."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from api.errors import invalid_spec
from jobs.errors import JobNotFound
from jobs.models import Job
from jobs.repository import Repository
from jobs.settings import Settings
from jobs.states import JobState
from kd_engine.explain import FieldProblem, field_problems
from kd_engine.spec import JobSpec

# A teacher taken from a job that took its own from a job, and so on; far more links than anybody builds.
_LONGEST_CHAIN = 20


def check_data(spec: JobSpec, settings: Settings) -> None:
    """Raises Problem 422 when the data set is neither present nor can be downloaded."""
    row = spec.dataset.row
    if row.present(settings.data_dir) or (settings.download and row.download):
        return
    raise invalid_spec([FieldProblem("/dataset", row.absence(settings.data_dir), "data_set_absent")])


def check_teacher(spec: JobSpec, repository: Repository) -> None:
    """Raises Problem 422 when the teacher is of a job that does not exist, has not succeeded, or does not fit."""
    teacher = spec.teacher
    if teacher.job is None:
        return
    try:
        job = repository.get(teacher.job)
    except JobNotFound as error:
        raise _unusable("job_not_found", f"{error}; GET /jobs?state=succeeded lists those to learn from.") from None
    if job.state is not JobState.SUCCEEDED:
        hint = "it will never have one" if job.state.terminal else "wait until it has succeeded"
        raise _unusable(
            "job_not_succeeded", f"job '{job.id}' is {job.state}, so it has no network to learn from; {hint}."
        )
    network = _network(job, teacher.role or "student", repository)
    if network is not None:
        _check_fits(spec, job, network)


def _network(job: Job, role: str, repository: Repository) -> dict[str, Any] | None:
    """Model and parameters of a job's network; None when the job that trained it was deleted."""
    for _ in range(_LONGEST_CHAIN):
        network: dict[str, Any] = job.spec[role]
        if "job" not in network:
            return {"model": network["model"], "params": network.get("params", {})}
        try:
            job, role = repository.get(network["job"]), network.get("role", "student")
        except JobNotFound:
            return None
    return None


def _check_fits(spec: JobSpec, job: Job, network: dict[str, Any]) -> None:
    # as if the network were to be trained here: the spec itself knows what fits what
    body = spec.to_json() | {"teacher": network}
    try:
        JobSpec.model_validate(body)
    except ValidationError as error:
        first = field_problems(error, body)[0]
        raise _unusable("does_not_fit", f"the network of job '{job.id}' does not fit: {first.message}") from None


def _unusable(code: str, message: str) -> Exception:
    return invalid_spec([FieldProblem("/teacher/job", message, code)])
