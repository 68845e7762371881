"""Sweeps: jobs of kind `sweep`, under a path of their own. A sweep's id is its job's, for all that a job can do."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem, invalid_spec
from api.http.json_body import RawBody, parse_object
from api.http.query_params import ListQuery
from api.http.responses import problems
from api.middleware.auth import caller_of
from api.routes import artifacts, jobs
from api.routes.openapi import SWEEP_BODY, SWEEP_REPORT
from distillery.resources import JobPage
from kd_engine.jobspec.problems import FieldProblem

router = APIRouter(prefix="/sweeps", tags=["sweeps"])
_SWEEP = "sweep"


@router.post(
    "",
    status_code=201,
    summary="Create a sweep",
    responses=jobs.CREATED,
    openapi_extra={"requestBody": SWEEP_BODY, "parameters": jobs.SUBMIT_PARAMETERS},
)
def create_sweep(request: Request, raw: RawBody, context: ContextDep) -> Response:
    """A job of kind `sweep`: as POST /jobs, without the `kind`. `validate_only` shows the trials."""
    body = parse_object(raw)
    if body.get("kind", _SWEEP) != _SWEEP:
        message = "what is posted here is a sweep: leave 'kind' out, or use POST /jobs."
        raise invalid_spec([FieldProblem("/kind", message, "not_posted")])
    return jobs.create(body | {"kind": _SWEEP}, request, context)


@router.get(
    "",
    summary="List sweeps",
    responses={200: {"model": JobPage}, **problems(400, 422)},
    openapi_extra={"parameters": ListQuery.openapi()},
)
def list_sweeps(request: Request, context: ContextDep) -> Response:
    """Newest first, filtered as GET /jobs is, which has them too. `student` finds those with one network for all."""
    return jobs.list_page(request, context, _SWEEP)


@router.get(
    "/{sweep_id}",
    summary="Read a sweep",
    responses=jobs.READ,
    openapi_extra={"parameters": jobs.READ_PARAMETERS},
)
async def read_sweep(sweep_id: str, request: Request, context: ContextDep) -> Response:
    """As GET /jobs/{id}; `progress` counts the trials."""
    await run_in_threadpool(_check_kind, sweep_id, request, context)
    return await jobs.read_job(sweep_id, request, context)


@router.get("/{sweep_id}/report", summary="Report of a sweep", responses={
    **artifacts.REPORT_ANSWERS,
    200: {"description": "A row for each trial, what was chosen, and which differences are more than luck.",
          "content": {"application/json": {"schema": SWEEP_REPORT}}},
})  # fmt: skip
def read_sweep_report(sweep_id: str, request: Request, context: ContextDep) -> Response:
    """As GET /jobs/{id}/report."""
    _check_kind(sweep_id, request, context)
    return artifacts.read_report(sweep_id, request, context)


@router.delete(
    "/{sweep_id}",
    status_code=204,
    summary="Delete a sweep",
    responses={204: {"description": "Gone, with its files."}, **problems(404, 409)},
)
def delete_sweep(sweep_id: str, request: Request, context: ContextDep) -> Response:
    """Only one that has ended; cancel it first, by POST /jobs/{id}/cancel."""
    _check_kind(sweep_id, request, context)
    return jobs.delete_job(sweep_id, request, context)


def _check_kind(sweep_id: str, request: Request, context: Context) -> None:
    """Raises where there is no such job, or one of another kind."""
    with context.database.read() as repository:
        job = repository.get(sweep_id, caller_of(request).owner_filter)
    if job.kind != _SWEEP:
        message = f"'{sweep_id}' is no sweep, but a job of kind '{job.spec.get('kind', 'distill')}': use /jobs/{{id}}."
        raise Problem("job_not_found", message)
