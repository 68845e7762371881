"""What a user asks of a job: cancel, pause, resume, retry. Each may be repeated."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.dependencies.context import Context, ContextDep
from api.http.responses import answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import job_view
from api.submission.creation_response import created, note
from distillery.resources import JobView
from distillery.states import JobState
from jobs.repository import Repository
from jobs.tables import Job

router = APIRouter(prefix="/jobs/{job_id}", tags=["jobs"])

_LOCATION = {"Location": {"description": "Path of the new job.", "schema": {"type": "string"}}}


def _responses(done: str, asked: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"model": JobView, "description": done},
        202: {"model": JobView, "description": asked},
        **problems(404, 409),
    }


@router.post(
    "/cancel",
    summary="Cancel a job",
    responses=_responses("It is cancelled.", "It runs; its worker was asked to stop it."),
)
def cancel_job(job_id: str, request: Request, context: ContextDep) -> Response:
    """A job that has succeeded or failed stays as it is: 409, with its state."""
    with context.database.write() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        return _state(repository.request_cancel(job_id), repository, context)


@router.post(
    "/pause",
    summary="Pause a job",
    responses=_responses("It is paused.", "It runs; its worker was asked to checkpoint and pause it."),
)
def pause_job(job_id: str, request: Request, context: ContextDep) -> Response:
    """It goes on with `resume`, from its last checkpoint. A job that has ended stays as it is: 409, with its state."""
    with context.database.write() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        return _state(repository.request_pause(job_id), repository, context)


@router.post(
    "/resume",
    summary="Resume a job",
    responses=_responses("It is queued again.", "It runs; if a pause was asked for, that is taken back."),
)
def resume_job(job_id: str, request: Request, context: ContextDep) -> Response:
    """Queues a paused job again. A job that has ended stays as it is: 409, with its state."""
    with context.database.write() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        job = repository.resume(job_id)
        answered = _state(job, repository, context)
    if job.state is JobState.QUEUED:
        context.wakeup_producer.wake(job.id, job.device)
    return answered


@router.post(
    "/retry",
    status_code=201,
    summary="Run a job again",
    responses={
        201: {"model": JobView, "description": "The new job, queued.", "headers": _LOCATION},
        200: {"model": JobView, "description": "The job that an earlier retry made, as it is now.",
              "headers": _LOCATION},
        **problems(404, 409, 429),
    },
)  # fmt: skip
def retry_job(job_id: str, request: Request, context: ContextDep) -> Response:
    """A new job with the spec of one that failed or was cancelled, from its last checkpoint if there is one.

    A job is retried once: asked again, the same new job is the answer. (That one may be retried in turn.)
    """
    with context.database.write() as repository:
        old = repository.get(job_id, caller_of(request).owner_filter)
        quota = context.settings.quota_of(old.owner)
        waiting = repository.why_waiting(old.device, old.owner, quota, old.priority)
        job, is_new = repository.retry(job_id, quota, note(waiting))
        answered = created(job, waiting) if is_new else _state(job, repository, context)
    if is_new:
        context.made(job)
    else:
        answered.status_code = 200
        answered.headers["Location"] = f"/jobs/{job.id}"
    return answered


def _state(job: Job, repository: Repository, context: Context) -> Response:
    """The job as it is now: 202 while its worker has something to do about it."""
    waiting = None
    if job.state is JobState.QUEUED:
        quota = context.settings.quota_of(job.owner)
        waiting = repository.why_waiting(job.device, job.owner, quota, job.priority, job.id)
    return answer(job_view(job, waiting), status=202 if job.state is JobState.RUNNING else 200)
