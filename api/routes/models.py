"""Networks that users send, or keep of a job: looked at by a job of their own, then named by jobs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem, invalid_body
from api.http.json_body import RawBody, parse_object
from api.http.own_name import own_name
from api.http.page_tokens import make_token, read_token
from api.http.query_params import ModelQuery, PageQuery
from api.http.responses import answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import model_view
from api.submission.checks import check_data
from api.submission.names import refused, resolve
from api.submission.uploads import Received, arriving
from distillery.resources import ModelPage, ModelView
from jobs.auth import Caller
from kd_engine.catalog import MODELS
from kd_engine.intake.formats import in_words, sniff
from kd_engine.jobspec import NetworkOfJob, RegisterSpec

router = APIRouter(prefix="/models", tags=["models"])

_LIST = "models"  # what its page tokens are bound to
_TAKEN = ("safetensors", "onnx", "npz")
_BODY: dict[str, Any] = {
    "description": "safetensors weights of a network of the catalogue (`model`), an ONNX model, or an .npz file with "
    "the logits of all images (`train` and `test`). What it is, is found out from its content.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_LOCATION = {"Location": {"description": "Path of the model.", "schema": {"type": "string"}}}


@router.post(
    "",
    status_code=201,
    summary="Send a network",
    responses={
        201: {"model": ModelView, "description": "Stored; a job looks at it.", "headers": _LOCATION},
        200: {"model": ModelView, "description": "You have sent the same before: here it is.", "headers": _LOCATION},
        **problems(400, 404, 409, 413, 415, 422, 429, 507),
    },
    openapi_extra={"requestBody": _BODY, "parameters": ModelQuery.openapi()},
)
async def create_model(request: Request, context: ContextDep) -> Response:
    """Stores the file and lets a job verify it on the data set: how good it is, how its pixels are normalised, and
    whether its outputs are in the order of the classes. Nothing is ever unpickled.
    """
    query = ModelQuery.read(request.query_params)
    caller = caller_of(request)
    async with arriving(request, context, caller, query.upload) as received:
        return await run_in_threadpool(_create, query, received, context, caller)


def _create(query: ModelQuery, received: Received, context: Context, caller: Caller) -> Response:
    with context.store.open(received.key) as file:
        form = sniff(file)
        what = "" if form in _TAKEN else in_words(file, form, "network")
    if what:
        raise Problem(
            "unknown_format",
            f"By its content the file is {what}. Expected safetensors weights, an ONNX model, or logits as .npz.",
        )
    spec = _spec(query, form, received.sha256, context, caller)
    quota = context.settings.quota_of(caller.owner)
    with context.database.write() as repository:
        repository.end_upload(received.upload_id)
        sent, is_new = repository.create_model(spec, received.info, owner=caller.owner, quota=quota)
    if is_new:
        context.made(sent.job)
    else:
        context.remove([received.key])
    headers = {"Location": f"/models/{sent.row.id}"}
    return answer(model_view(sent), status=201 if is_new else 200, headers=headers)


def _spec(query: ModelQuery, form: str, sha256: str, context: Context, caller: Caller) -> RegisterSpec:
    size = {key: value for key, value in (("height", query.height), ("width", query.width)) if value is not None}
    body: dict[str, Any] = {"dataset": {"name": query.dataset, **({"params": size} if size else {})}}
    body = resolve(body, context, caller)
    body |= {"kind": "register", "name": query.name, "upload_sha256": sha256, "format": form}
    body |= query.model_dump(exclude_none=True, include={"model", "classes", "mean", "std", "channels"})
    if query.params is not None:
        body["params"] = parse_object(query.params.encode())
    try:
        spec = RegisterSpec.model_validate(body)
    except ValidationError as error:
        raise refused(error, body, context, caller) from None
    check_data(spec, context.settings)
    return spec


@router.post(
    "/promote",
    status_code=201,
    summary="Keep a network of a job",
    responses={
        201: {"model": ModelView, "description": "The network has an id of its own.", "headers": _LOCATION},
        **problems(400, 404, 409, 413, 415, 422),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["job"],
                        "properties": {
                            "job": {"type": "string"},
                            "role": {"enum": ["student", "teacher", "baseline"]},
                            "name": {"type": "string", "maxLength": 200},
                        },
                    }
                }
            },
        }
    },
)
def promote_network(request: Request, raw: RawBody, context: ContextDep) -> Response:
    """Gives a network of a succeeded job (its student, unless `role` says otherwise) an id that jobs may name.

    The job is kept as long as the model, whatever its time.
    """
    body = parse_object(raw)
    name = body.pop("name", "")
    if not isinstance(name, str) or len(name) > 200:
        raise Problem("malformed_json", "'name' is a text of at most 200 characters.")
    try:
        own_name(name, MODELS, "network")
    except ValueError as error:
        raise Problem("bad_parameter", f"'name' is '{name}': {error}.") from None
    try:
        asked = NetworkOfJob.model_validate(body)
    except ValidationError as error:
        raise invalid_body(error, body) from None
    with context.database.write() as repository:
        job = repository.get(asked.job, caller_of(request).owner_filter)
        sent = repository.promote(job, asked.role, name or job.name)
    return answer(model_view(sent), status=201, headers={"Location": f"/models/{sent.row.id}"})


@router.get(
    "",
    summary="List models",
    responses={200: {"model": ModelPage}, **problems(400)},
    openapi_extra={"parameters": PageQuery.openapi()},
)
def list_models(request: Request, context: ContextDep) -> Response:
    """Those that were sent or kept, newest first; GET /catalog has the networks that can be trained."""
    query = PageQuery.read(request.query_params)
    before = None if query.page_token is None else read_token(query.page_token, _LIST)
    size = min(query.page_size, context.settings.page_size_max)
    with context.database.read() as repository:
        found = repository.list_models(caller_of(request).owner_filter, before=before, limit=size + 1)
        shown = [model_view(sent) for sent in found[:size]]
    token = make_token(shown[-1].id, _LIST) if len(found) > size else None
    return answer(ModelPage(models=shown, next_page_token=token))


@router.get("/{model_id}", summary="Read a model", responses={200: {"model": ModelView}, **problems(404)})
def read_model(model_id: str, request: Request, context: ContextDep) -> Response:
    """What has come of looking at it; `links.report` has what was measured."""
    with context.database.read() as repository:
        return answer(model_view(repository.model(model_id, caller_of(request).owner_filter)))


@router.delete(
    "/{model_id}",
    status_code=204,
    summary="Delete a model",
    responses={204: {"description": "Gone; with its file, if it was sent."}, **problems(404, 409)},
)
def delete_model(model_id: str, request: Request, context: ContextDep) -> Response:
    """Jobs that have not begun yet and name it will fail and say so."""
    with context.database.write() as repository:
        repository.model(model_id, caller_of(request).owner_filter)
        keys = repository.delete_model(model_id)
    context.remove(keys)
    return Response(status_code=204)
