"""Jobs: create, list, read, delete."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from zlib import crc32

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.dependencies.change_notifier import wait_for_change
from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem, invalid_spec
from api.http.etag import IF_MATCH, check_expected, quoted, unchanged
from api.http.json_body import RawBody, parse_object
from api.http.page_tokens import make_token, read_token
from api.http.query_params import JobQuery, ListQuery, SubmitQuery
from api.http.responses import answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import job_summary, job_view, resolved_view
from api.routes.openapi import EVALUATION_BODY, SPEC_BODY
from api.submission.checks import check_data, check_sources, check_webhooks
from api.submission.creation_response import created, created_again, note
from api.submission.names import refused, resolve
from api.submission.sweeps import check_each, check_number
from distillery.resources import JobPage, JobView, Resolved
from jobs.auth import Caller
from jobs.repository import JobFilter, Waiting
from jobs.tables import Job
from kd_engine.jobspec import KINDS, AnySpec, canonical_hash, parse_spec
from kd_engine.jobspec.problems import FieldProblem

router = APIRouter(tags=["jobs"])

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 visible ASCII characters. The same key and body get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_ETAG = {"ETag": {"description": "Strong; changes with everything in the body.", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "Path of the new job.", "schema": {"type": "string"}}}
CREATED: dict[int | str, dict[str, Any]] = {
    201: {"model": JobView, "description": "Recorded, and queued.", "headers": _LOCATION},
    200: {"model": Resolved, "description": "With `validate_only`: the resolved spec; nothing was stored."},
    **problems(400, 413, 415, 422, 429),
}
_NO_WAIT = JobQuery()
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
SUBMIT_PARAMETERS = [*SubmitQuery.openapi(), _KEY_PARAMETER]
READ_PARAMETERS = [*JobQuery.openapi(), _IF_NONE_MATCH, IF_MATCH]
READ: dict[int | str, dict[str, Any]] = {
    200: {"model": JobView, "headers": _ETAG},
    304: {"description": "Unchanged."},
    **problems(400, 404, 412),
}


@router.post(
    "/jobs",
    status_code=201,
    summary="Create a job",
    responses=CREATED,
    openapi_extra={"requestBody": SPEC_BODY, "parameters": SUBMIT_PARAMETERS},
)
def create_job(request: Request, raw: RawBody, context: ContextDep) -> Response:
    """Checks the whole spec, records it resolved, and rings a worker. Recorded means durable, whatever happens next."""
    return create(parse_object(raw), request, context)


@router.post(
    "/evaluations",
    status_code=201,
    summary="Measure a network",
    responses=CREATED,
    openapi_extra={"requestBody": EVALUATION_BODY, "parameters": SUBMIT_PARAMETERS},
)
def create_evaluation(request: Request, raw: RawBody, context: ContextDep) -> Response:
    """A job of kind `evaluate`: any network of a job, or model, on any data set. As POST /jobs, without the `kind`."""
    return create({"kind": "evaluate"} | parse_object(raw), request, context)


def create(body: dict[str, Any], request: Request, context: Context) -> Response:
    query = SubmitQuery.read(request.query_params)
    caller = caller_of(request)
    key = _idempotency_key(request)
    if query.validate_only:
        return _validate_only(body, context, caller)
    idempotency = None if key is None else (key, canonical_hash(body))
    if idempotency is not None:
        # before the checks, because what they look at may have changed since the first answer
        with context.database.read() as repository:
            earlier = repository.find_by_key(*idempotency, owner=caller.owner)
            if earlier is not None:
                return created_again(earlier, repository)
    spec = _checked_spec(body, context, caller)
    quota = context.settings.quota_of(caller.owner)
    with context.database.write() as repository:
        check_each(spec, lambda one: check_sources(one, repository, caller.owner_filter))
        waiting = repository.why_waiting(spec.resources.device, caller.owner, quota, spec.priority)
        job = repository.create(
            spec.resolved(), owner=caller.owner, quota=quota, idempotency=idempotency, note=note(waiting)
        )
        # with a key it may be one that another process has made at this very moment
        answered = created(job, waiting) if idempotency is None else created_again(job, repository)
    context.made(job)
    return answered


@router.get(
    "/jobs",
    summary="List jobs",
    responses={200: {"model": JobPage}, **problems(400, 422)},
    openapi_extra={"parameters": ListQuery.openapi()},
)
def list_jobs(request: Request, context: ContextDep) -> Response:
    """Newest first. A page token goes on where its page ended, whatever was created meanwhile."""
    return list_page(request, context)


def list_page(request: Request, context: Context, kind: str | None = None) -> Response:
    """The page of the list that the request asks for; of one kind of job, or of all."""
    query = ListQuery.read(request.query_params)
    filters = query.filters_text() + (kind or "")
    before = None if query.page_token is None else read_token(query.page_token, filters)
    size = min(query.page_size, context.settings.page_size_max)
    wanted = JobFilter(
        state=query.state,
        name=query.name,
        labels=query.labels,
        dataset=query.dataset,
        student=query.student,
        created_after=query.created_after,
        owner=caller_of(request).owner_filter,
        kind=kind,
    )
    with context.database.read() as repository:
        jobs = repository.list_jobs(wanted, before=before, limit=size + 1)  # one more tells whether a page follows
        places = repository.positions(jobs[:size])
        shown = [job_summary(job, places.get(job.id)) for job in jobs[:size]]
    token = make_token(shown[-1].id, filters) if len(jobs) > size else None
    return answer(JobPage(jobs=shown, next_page_token=token))


@router.get(
    "/jobs/{job_id}",
    summary="Read a job",
    responses=READ,
    openapi_extra={"parameters": READ_PARAMETERS},
)
async def read_job(job_id: str, request: Request, context: ContextDep) -> Response:
    """State, phase, progress, the latest metrics, times, and the resolved spec.

    Cheap to poll with `If-None-Match`; with `wait`, the answer comes as soon as the job changes.
    """
    query = JobQuery.read(request.query_params) if request.scope["query_string"] else _NO_WAIT
    caller = caller_of(request)
    look = partial(context.database.snapshot, job_id, caller.owner_filter, context.settings.quota_of)
    job, waiting = await run_in_threadpool(look)
    check_expected(request, _etag(job, waiting), part=_version)
    known = request.headers.get("if-none-match")
    if query.wait and not job.state.terminal and (known is None or unchanged(known, _etag(job, waiting))):
        await wait_for_change(request, context.change_notifier, job, query.wait, caller.owner)
        job, waiting = await run_in_threadpool(look)
    etag = _etag(job, waiting)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if unchanged(known, etag):
        return Response(status_code=304, headers=headers)
    return answer(job_view(job, waiting), headers=headers)


@router.delete(
    "/jobs/{job_id}",
    status_code=204,
    summary="Delete a job",
    responses={204: {"description": "Gone, with its files."}, **problems(404, 409)},
)
def delete_job(job_id: str, request: Request, context: ContextDep) -> Response:
    """Only a job that has ended; cancel it first."""
    with context.database.write() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        keys = repository.delete(job_id)
    context.remove(keys)
    return Response(status_code=204)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(
            "bad_idempotency_key", "An Idempotency-Key has 1 to 255 visible ASCII characters; a UUID does well."
        )
    return key


def _validate_only(body: dict[str, Any], context: Context, caller: Caller) -> Response:
    spec = _checked_spec(body, context, caller)
    with context.database.read() as repository:
        check_each(spec, lambda one: check_sources(one, repository, caller.owner_filter))
        spec = spec.resolved()
        return answer(resolved_view(spec, repository.names_of(spec)))


def _checked_spec(body: dict[str, Any], context: Context, caller: Caller) -> AnySpec:
    kind = KINDS.get(str(body.get("kind")))
    if kind is not None and kind.brings_upload:
        message = f"a job of this kind is made by POST {kind.posted_at}, with the file that it is of."
        raise invalid_spec([FieldProblem("/kind", message, "not_posted")])
    body = resolve(body, context, caller)
    try:
        spec = parse_spec(body)
    except ValidationError as error:
        raise refused(error, body, context, caller) from None
    check_number(spec, context.settings.sweep_trials)
    check_each(spec, lambda one: check_data(one, context.settings))
    check_webhooks(spec, context.settings)
    return spec


def _etag(job: Job, waiting: Waiting | None) -> str:
    """Of the job's version and, as those are no part of it, of why it waits and at which place."""
    if waiting is None:
        return quoted(str(job.version))
    queue = f"{waiting.position} {waiting.detail}"
    return quoted(f"{job.version}-{crc32(queue.encode()):08x}")


def _version(etag: str) -> str:
    """The part of an ETag that is of the job itself."""
    return etag.strip('"').partition("-")[0]
