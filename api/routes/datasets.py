"""Data sets that users send: checked by a job of their own, then named by jobs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem
from api.http.page_tokens import make_token, read_token
from api.http.query_params import DatasetQuery, PageQuery
from api.http.responses import answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import dataset_view
from api.submission.references import manifest_of
from api.submission.uploads import Received, arriving
from distillery.resources import DatasetPage, DatasetView
from jobs.auth import Caller
from kd_engine.intake.formats import in_words, sniff
from kd_engine.jobspec import CheckSpec

router = APIRouter(prefix="/datasets", tags=["data sets"])

_LIST = "datasets"  # what its page tokens are bound to
_TAKEN = ("zip", "tar", "npz", "parquet")
_BODY: dict[str, Any] = {
    "description": "A zip or tar archive of pictures, an .npz file or a parquet table. What it is, is found out from "
    "its content.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_LOCATION = {"Location": {"description": "Path of the data set.", "schema": {"type": "string"}}}


@router.post(
    "",
    status_code=201,
    summary="Send a data set",
    responses={
        201: {"model": DatasetView, "description": "Stored; a job checks it.", "headers": _LOCATION},
        200: {"model": DatasetView, "description": "You have sent the same before: here it is.", "headers": _LOCATION},
        **problems(400, 404, 409, 413, 415, 422, 429, 507),
    },
    openapi_extra={"requestBody": _BODY, "parameters": DatasetQuery.openapi()},
)
async def create_dataset(request: Request, context: ContextDep) -> Response:
    """Stores the file, by its content once, and lets a job check it: every picture decoded, classes counted.

    A file that is cut off, too large or of another format leaves nothing behind.
    """
    query = DatasetQuery.read(request.query_params)
    caller = caller_of(request)
    async with arriving(request, context, caller, query.upload) as received:
        return await run_in_threadpool(_create, query, received, context, caller)


def _create(query: DatasetQuery, received: Received, context: Context, caller: Caller) -> Response:
    with context.store.open(received.key) as file:
        found = sniff(file)
        what = "" if found in _TAKEN else in_words(file, found, "data set")
    if what:
        raise Problem(
            "unknown_format",
            f"By its content the file is {what}. Expected a zip or tar archive of pictures in a folder for "
            "each class, numpy arrays as .npz, or a parquet table.",
        )
    asked = query.model_dump(exclude={"upload"}, exclude_none=True)
    spec = CheckSpec(kind="check", upload_sha256=received.sha256, **asked)
    quota = context.settings.quota_of(caller.owner)
    with context.database.write() as repository:
        repository.end_upload(received.upload_id)
        dataset, is_new = repository.create_dataset(spec, received.info, owner=caller.owner, quota=quota)
    if is_new:
        context.made(dataset.job)
    else:
        context.remove([received.key])
    headers = {"Location": f"/datasets/{dataset.row.id}"}
    return answer(dataset_view(dataset, None), status=201 if is_new else 200, headers=headers)


@router.get(
    "",
    summary="List data sets",
    responses={200: {"model": DatasetPage}, **problems(400)},
    openapi_extra={"parameters": PageQuery.openapi()},
)
def list_datasets(request: Request, context: ContextDep) -> Response:
    """Those that were sent, newest first; GET /catalog has those that the service knows by name."""
    query = PageQuery.read(request.query_params)
    before = None if query.page_token is None else read_token(query.page_token, _LIST)
    size = min(query.page_size, context.settings.page_size_max)
    with context.database.read() as repository:
        found = repository.list_datasets(caller_of(request).owner_filter, before=before, limit=size + 1)
        shown = [dataset_view(dataset, None) for dataset in found[:size]]
    token = make_token(shown[-1].id, _LIST) if len(found) > size else None
    return answer(DatasetPage(datasets=shown, next_page_token=token))


@router.get("/{dataset_id}", summary="Read a data set", responses={200: {"model": DatasetView}, **problems(404)})
def read_dataset(dataset_id: str, request: Request, context: ContextDep) -> Response:
    """What has come of its check; its manifest once it is ready."""
    with context.database.read() as repository:
        dataset = repository.dataset(dataset_id, caller_of(request).owner_filter)
        manifest = manifest_of(dataset, repository, context.store)
        return answer(dataset_view(dataset, manifest))


@router.delete(
    "/{dataset_id}",
    status_code=204,
    summary="Delete a data set",
    responses={204: {"description": "Gone, with its check and its files."}, **problems(404, 409)},
)
def delete_dataset(dataset_id: str, request: Request, context: ContextDep) -> Response:
    """Only while no unfinished job is to read it."""
    with context.database.write() as repository:
        repository.dataset(dataset_id, caller_of(request).owner_filter)
        keys = repository.delete_dataset(dataset_id)
    context.remove(keys)
    return Response(status_code=204)
