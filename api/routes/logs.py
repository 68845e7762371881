"""What a job's trainer wrote."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem
from api.http.query_params import LogsQuery
from api.http.responses import accepts, answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import log_line_view
from distillery.resources import LogPage
from jobs.tables import LogLine

router = APIRouter(prefix="/jobs/{job_id}", tags=["history"])

_BATCH = 1000
_HEADERS = {"Vary": "Accept", "Cache-Control": "private, no-cache"}
# A terminal would obey what a log says to it, so control characters are spelled out; a tab does no harm.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\t")}


@router.get(
    "/logs",
    summary="Log of a job",
    responses={
        200: {
            "model": LogPage,
            "description": "A page, or plain text.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(400, 404),
    },
    openapi_extra={"parameters": LogsQuery.openapi()},
)
def read_logs(job_id: str, request: Request, context: ContextDep) -> Response:
    """Oldest first: a page, or with `tail` the last lines.

    As text (`Accept: text/plain` or `?format=text`) all lines above `after` come in one answer.
    """
    query = LogsQuery.read(request.query_params)
    if query.tail is not None and query.after:
        message = "'tail' and 'after' are both given; give one of them."
        raise Problem(
            "bad_parameter", message, errors=[{"parameter": "tail", "message": message, "code": "given_both"}]
        )
    limit = context.settings.page_size_max
    as_text = query.format == "text" if query.format else accepts(request, "text/plain")
    with context.database.read() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        if query.tail is not None:
            lines, more = repository.log_tail(job_id, min(query.tail, limit)), False
        else:
            size = _BATCH if as_text else min(query.page_size, limit)
            lines = repository.log(job_id, query.after, size + 1)
            lines, more = lines[:size], len(lines) > size
    if as_text:
        return StreamingResponse(_text(context, job_id, lines, more), headers=_HEADERS, media_type="text/plain")
    page = LogPage(lines=[log_line_view(line) for line in lines], next_after=lines[-1].seq if more else None)
    return answer(page, headers=_HEADERS)


def _text(context: Context, job_id: str, lines: list[LogLine], more: bool) -> Iterator[str]:
    """`lines`, and the rest of the log if there is more; a piece at a time, as a log may be long."""
    while lines:
        yield "".join(f"{line.line.translate(_CONTROLS)}\n" for line in lines)
        if not more:
            return
        with context.database.read() as repository:
            lines = repository.log(job_id, lines[-1].seq, _BATCH)
