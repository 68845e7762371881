"""The files of a job: the list, the download, and the report, which is one of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.dependencies.context import ContextDep
from api.http.errors import Problem
from api.http.etag import IF_MATCH
from api.http.responses import answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import artifact_view
from api.routes.openapi import REPORT
from api.streaming.file_response import send_artifact
from distillery.resources import ArtifactList
from jobs.errors import ArtifactNotFound

router = APIRouter(prefix="/jobs/{job_id}", tags=["artifacts"])

_REPORT = "report.json"
_LONGEST_NAME = 200  # of the table's column
_BYTES = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
_HEADERS = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "ETag": "The sha256 of the file, in hex and quoted.",
        "Repr-Digest": "The same in base64 (RFC 9530).",
        "Content-Disposition": "A file name to save it under.",
        "Accept-Ranges": "bytes",
    }.items()
}
_CONDITIONS = [
    {"name": name, "in": "header", "schema": {"type": "string"}}
    for name in ("If-None-Match", "If-Unmodified-Since", "If-Range", "Range")
]
REPORT_ANSWERS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The ranges asked for.", **_BYTES},
    304: {"description": "The caller has it already."},
    **problems(404, 409, 412, 416),
}
_DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "headers": _HEADERS, **_BYTES},
    206: {"description": "The ranges asked for.", "headers": _HEADERS, **_BYTES},
    304: {"description": "The caller has it already."},
}


@router.get("/report", summary="Report of a job", responses={
    **REPORT_ANSWERS,
    200: {"description": "Teacher, student alone and distilled, side by side; of a sweep, its trials; of other kinds "
          "of job, one network.", "content": {"application/json": {"schema": REPORT}}},
})  # fmt: skip
def read_report(job_id: str, request: Request, context: ContextDep) -> Response:
    """`report.json` of a job that has succeeded; 409 with its state before, 404 when it ended without one."""
    with context.database.read() as repository:
        job = repository.get(job_id, caller_of(request).owner_filter)
        if not job.state.terminal:
            message = (
                f"job '{job_id}' is {job.state}; its report is written when it ends. Read /jobs/{job_id} until then."
            )
            raise Problem("not_finished", message, state=str(job.state))
        try:
            artifact = repository.artifact(job_id, _REPORT)
        except ArtifactNotFound:
            message = f"job '{job_id}' is {job.state} and left no report; /jobs/{job_id} has the reason."
            raise Problem("report_not_found", message, state=str(job.state)) from None
    return send_artifact(request, artifact, context, inline=True)


@router.get("/artifacts", summary="Files of a job", responses={200: {"model": ArtifactList}, **problems(404)})
def list_artifacts(job_id: str, request: Request, context: ContextDep) -> Response:
    """By name, each with its size in bytes and its sha256. Empty until the job has written something."""
    with context.database.read() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        return answer(ArtifactList(artifacts=[artifact_view(row) for row in repository.artifacts(job_id)]))


@router.head(
    "/artifacts/{name:path}",
    summary="Headers of a file",
    responses={200: {"description": "As GET, without the file.", "headers": _HEADERS},
               304: {"description": "The caller has it already."}, **problems(404, 412)},
    openapi_extra={"parameters": [IF_MATCH, *_CONDITIONS[:2]]},
)  # fmt: skip
@router.get(
    "/artifacts/{name:path}",
    summary="Download a file",
    responses={**_DOWNLOAD, **problems(404, 412, 416)},
    openapi_extra={"parameters": [IF_MATCH, *_CONDITIONS]},
)
def download(job_id: str, name: str, request: Request, context: ContextDep) -> Response:
    """The name is looked up in the job's list and in nothing else; it never becomes a path."""
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise ArtifactNotFound(job_id, name)
    with context.database.read() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        artifact = repository.artifact(job_id, name)
    return send_artifact(request, artifact, context)
