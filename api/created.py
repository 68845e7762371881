"""The answer to a job's creation: the first one, and the same again when the request comes twice."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from api.answers import answer
from api.views import created_view
from jobs.models import Job
from jobs.repository import Repository, Waiting
from jobs.repository.waiting import TURN

_WAITING = "waiting_for"


def note(waiting: Waiting) -> dict[str, Any]:
    """What the job's first event keeps, so that the first answer can be given again."""
    return {} if waiting == TURN else {_WAITING: {"code": waiting.code, "detail": waiting.detail}}


def created(job: Job, waiting: Waiting) -> Response:
    """The first answer."""
    return answer(created_view(job, waiting), status=201, headers={"Location": f"/jobs/{job.id}"})


def created_again(job: Job, repository: Repository) -> Response:
    """The first answer again, from what was noted then."""
    first = repository.events(job.id, 0, 1)
    noted = first[0].data.get(_WAITING) if first else None
    return created(job, TURN if noted is None else Waiting(**noted))
