"""The answer to a job's creation: the first one, and the same again when the request comes twice."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from api.http.responses import answer
from api.presenters.resource_views import created_view
from jobs.repository import Repository, Waiting
from jobs.repository.waiting_reason import TURN
from jobs.tables import Job

_WAITING, _POSITION = "waiting_for", "position"


def note(waiting: Waiting) -> dict[str, Any]:
    """What the job's first event keeps, so that the first answer can be given again."""
    reason = {} if waiting.code == TURN.code else {_WAITING: {"code": waiting.code, "detail": waiting.detail}}
    return {**reason, _POSITION: waiting.position}


def created(job: Job, waiting: Waiting) -> Response:
    """The first answer."""
    return answer(created_view(job, waiting), status=201, headers={"Location": f"/jobs/{job.id}"})


def created_again(job: Job, repository: Repository) -> Response:
    """The first answer again, from what was noted then."""
    first = repository.events(job.id, 0, 1)
    data = first[0].data if first else {}
    noted = data.get(_WAITING, {"code": TURN.code, "detail": TURN.detail})
    return created(job, Waiting(**noted, position=data.get(_POSITION)))
