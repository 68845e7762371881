"""Files that are sent in parts: what arrived stays, and a connection that breaks costs only its last piece."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool

from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem
from api.http.page_tokens import make_token, read_token
from api.http.query_params import PageQuery
from api.http.responses import answer, problems
from api.middleware.auth import caller_of
from api.submission.upload_room import Room
from api.submission.uploads import begin, find_upload, forget, pour
from distillery.resources import UploadEntry, UploadPage, UploadView
from jobs.repository import uploads
from jobs.tables import Upload

router = APIRouter(prefix="/uploads", tags=["uploads"])

_LIST = "uploads"  # what its page tokens are bound to
_OFFSET = "Upload-Offset"
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_HEADERS = {_OFFSET: {"description": "Bytes that have arrived.", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "Path of the upload.", "schema": {"type": "string"}}}
_PART: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {
            "name": _OFFSET,
            "in": "header",
            "required": True,
            "description": "Where this part begins: the bytes that have arrived before it.",
            "schema": {"type": "string", "pattern": r"^\d{1,18}$"},
        }
    ],
}


@router.post(
    "",
    status_code=201,
    summary="Begin a file in parts",
    responses={201: {"model": UploadView, "headers": _LOCATION}, **problems(429)},
)
def begin_upload(request: Request, context: ContextDep) -> Response:
    """Then send its parts with PATCH, and name it: POST /datasets?upload=ID, or POST /models?upload=ID."""
    upload = begin(context, caller_of(request), uploads.IN_PARTS)
    return answer(_view(upload, 0), status=201, headers={"Location": f"/uploads/{upload.id}", _OFFSET: "0"})


@router.get(
    "",
    summary="List files in parts",
    responses={200: {"model": UploadPage}, **problems(400)},
    openapi_extra={"parameters": PageQuery.openapi()},
)
def list_uploads(request: Request, context: ContextDep) -> Response:
    """Those on their way, newest first: each counts in your quota until it is taken or given up."""
    query = PageQuery.read(request.query_params)
    before = None if query.page_token is None else read_token(query.page_token, _LIST)
    size = min(query.page_size, context.settings.page_size_max)
    with context.database.read() as repository:
        found = repository.list_uploads(caller_of(request).owner_filter, before, size + 1)
    shown = [
        UploadEntry(id=upload.id, owner=upload.owner, bytes=upload.reserved, created=upload.created_at)
        for upload in found[:size]
    ]
    token = make_token(shown[-1].id, _LIST) if len(found) > size else None
    return answer(UploadPage(uploads=shown, next_page_token=token))


@router.patch(
    "/{upload_id}",
    summary="Send a part",
    responses={200: {"model": UploadView, "headers": _HEADERS}, **problems(400, 404, 409, 413, 415, 429, 507)},
    openapi_extra=_PART,
)
async def send_part(upload_id: str, request: Request, context: ContextDep) -> Response:
    """The body goes to the end of what has arrived. Where the connection breaks, ask how much has, and go on there."""
    begins = _offset(request)
    caller = caller_of(request)
    upload = await run_in_threadpool(find_upload, context, caller, upload_id)
    with context.uploads.place(caller.owner):
        arrived = await _arrived(request, context, upload, begins)
    return answer(_view(upload, arrived), headers={_OFFSET: str(arrived)})


async def _arrived(request: Request, context: Context, upload: Upload, begins: int) -> int:
    """How much has arrived with this part."""
    async with contextmanager_in_threadpool(context.store.parts.alone(upload.id)) as part:
        if begins != part.arrived:
            raise Problem(
                "wrong_offset",
                f"The part begins at byte {begins:,}, and {part.arrived:,} have arrived; send what follows those.",
                offset=part.arrived,
            )
        room = Room(context, context.settings.quota_of(upload.owner), upload.id, begins)
        await room.open(request)
        try:
            await pour(request, part, room)
        finally:
            try:
                await run_in_threadpool(part.flush)
            finally:
                await run_in_threadpool(room.settle, part.arrived)
        return part.arrived


@router.get("/{upload_id}", summary="How much has arrived", responses={
    200: {"model": UploadView, "headers": _HEADERS}, **problems(404),
})  # fmt: skip
def read_upload(upload_id: str, request: Request, context: ContextDep) -> Response:
    """`offset` is where the next part begins. What nobody has sent a part of for a day is removed."""
    upload = find_upload(context, caller_of(request), upload_id)
    arrived = context.store.parts.arrived(upload_id)
    return answer(_view(upload, arrived), headers={_OFFSET: str(arrived), "Cache-Control": "no-store"})


@router.delete(
    "/{upload_id}",
    status_code=204,
    summary="Give up a file in parts",
    responses={204: {"description": "Gone, with all that has arrived."}, **problems(404)},
)
def delete_upload(upload_id: str, request: Request, context: ContextDep) -> Response:
    """What a data set or a model was made of is no upload any more, and stays."""
    find_upload(context, caller_of(request), upload_id)
    forget(context, upload_id)
    return Response(status_code=204)


def _view(upload: Upload, offset: int) -> UploadView:
    return UploadView(id=upload.id, offset=offset, created=upload.created_at)


def _offset(request: Request) -> int:
    header = request.headers.get(_OFFSET, "")
    if not _NUMBER.fullmatch(header):
        raise Problem(
            "bad_parameter",
            f"A part says where it begins: the header '{_OFFSET}' is {header[:40]!r}; expected a number of bytes.",
            errors=[{"parameter": _OFFSET, "message": "expected a number of bytes", "code": "bad_offset"}],
        )
    return int(header)
