"""What happened to a job, as a stream or in pages."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem
from api.http.query_params import EventsQuery
from api.http.responses import accepts, answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import event_view
from api.streaming.event_stream import event_stream
from distillery.resources import EventPage

router = APIRouter(prefix="/jobs/{job_id}", tags=["history"])

_LAST_ID = "Last-Event-ID"
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
# OpenAPI 3.2 describes each message of a stream by itself; older readers skip the key
_MESSAGE = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "The event's `seq`."},
        "event": {"type": "string", "description": "Its type."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/EventView"},
        },
    },
}
_PARAMETERS: list[dict[str, Any]] = [
    *EventsQuery.openapi(),
    {
        "name": _LAST_ID,
        "in": "header",
        "description": "Of a stream: the id of the last event that was seen. Wins over `after`.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    },
]


@router.get(
    "/events",
    summary="Events of a job",
    responses={
        200: {
            "model": EventPage,
            "description": "A stream, or a page.",
            "content": {"text/event-stream": {"itemSchema": _MESSAGE}},
        },
        204: {"description": "A stream was asked for, the job has ended, and its last event was seen already."},
        **problems(400, 404),
    },
    openapi_extra={"parameters": _PARAMETERS},
)
async def read_events(job_id: str, request: Request, context: ContextDep) -> Response:
    """Oldest first, each with its number as its id, as server-sent events until the job ends.

    With `Accept: application/json` or `?format=json` a page; `next_after` is the `after` of the next one, or null.
    """
    query = EventsQuery.read(request.query_params)
    if query.format == "json" or (query.format is None and _wants_json(request)):
        return await run_in_threadpool(_page, job_id, request, context, query)
    after = _last_seen(request, query.after)
    caller = caller_of(request)
    job, _ = await run_in_threadpool(context.database.snapshot, job_id, caller.owner_filter)
    if job.state.terminal and after >= job.last_event:
        return Response(status_code=204)  # what tells an EventSource not to come again
    return event_stream(context, job, after, caller.owner)


def _wants_json(request: Request) -> bool:
    return accepts(request, "application/json") and not accepts(request, "text/event-stream")


def _page(job_id: str, request: Request, context: Context, query: EventsQuery) -> Response:
    size = min(query.page_size, context.settings.page_size_max)
    with context.database.read() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        events = repository.events(job_id, query.after, size + 1)
        shown = [event_view(event) for event in events[:size]]
    page = EventPage(events=shown, next_after=shown[-1].seq if len(events) > size else None)
    return answer(page, headers={"Vary": "Accept"})


def _last_seen(request: Request, after: int) -> int:
    said = request.headers.get(_LAST_ID)
    if not said:
        return after
    if not _NUMBER.fullmatch(said):
        message = f"The header {_LAST_ID} is {said[:100]!r}; expected the id of an event, a number of 1 to 18 digits."
        raise Problem(
            "bad_parameter", message, errors=[{"parameter": _LAST_ID, "message": message, "code": "not_a_number"}]
        )
    return int(said)
