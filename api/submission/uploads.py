"""Takes a file from a request's body to the artifact store: in pieces, hashed on its way, whole or not at all.

No file of this machine comes between: any server of the API can take a file of any size.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.dependencies.context import Context
from api.http.errors import Problem
from api.submission.upload_room import Room
from jobs.artifacts import ArtifactInfo, Sink
from jobs.auth import Caller
from jobs.ids import new_id
from jobs.repository import uploads
from jobs.tables import Upload

log = logging.getLogger(__name__)
_PIECE_BYTES = 2**22  # what a thread is given at once: some twenty times as much as arrives at once
_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Received:
    """A file that arrived whole and lies in the store; what is not listed does not stay there.

    Attributes:
        upload_id: of the file on its way: it is to be ended in the transaction that lists the file.
        sha256: of its bytes, in hex.
    """

    upload_id: str
    key: str
    size: int
    sha256: str

    @property
    def info(self) -> ArtifactInfo:
        """To list it."""
        return ArtifactInfo(uploads.KIND, uploads.KIND, _MEDIA_TYPE, self.size, self.sha256, self.key)


@asynccontextmanager
async def arriving(
    request: Request, context: Context, caller: Caller, upload_id: str | None
) -> AsyncIterator[Received]:
    """The file that a request sends, for the length of the block; afterwards nothing is left but what the store took.

    It is the body, or the file that came in parts before.

    Raises:
        Problem, OverQuota: too many bytes; they are not even read where the length is announced. Too many files at
            once, of one owner or of all. 415 for a form.
        UploadNotFound: no such file in parts.
        UploadBusy: another part of it is just arriving.
        DiskFullError, StoreUnavailable: no room; no store.
        starlette.requests.ClientDisconnect: the caller left before the end.
    """
    way = _in_one(request, context, caller) if upload_id is None else _in_parts(context, caller, upload_id)
    with context.uploads.place(caller.owner):
        async with way as received:
            yield received


@asynccontextmanager
async def _in_one(request: Request, context: Context, caller: Caller) -> AsyncIterator[Received]:
    upload = await run_in_threadpool(begin, context, caller, uploads.IN_ONE)
    key, digest = _new_key(), hashlib.sha256()
    try:
        room = Room(context, context.settings.quota_of(upload.owner), upload.id)
        await room.open(request)
        async with contextmanager_in_threadpool(context.store.writing(key)) as file:
            size = await pour(request, file, room, digest.update)
        yield Received(upload.id, key, size, digest.hexdigest())
    except Exception:
        if await run_in_threadpool(_unlisted, context, key):
            await run_in_threadpool(context.remove, [key])
        await run_in_threadpool(_end, context, upload.id)
        raise


@asynccontextmanager
async def _in_parts(context: Context, caller: Caller, upload_id: str) -> AsyncIterator[Received]:
    """Kept where the request fails for a reason that may pass, so that nothing need be sent twice."""
    await run_in_threadpool(find_upload, context, caller, upload_id)
    parts, key = context.store.parts, _new_key()
    async with contextmanager_in_threadpool(parts.alone(upload_id)) as part:
        if part.arrived == 0:
            message = f"Nothing has come for the upload '{upload_id}' yet; send its first part with PATCH."
            raise Problem("wrong_offset", message, offset=0)
        received = Received(upload_id, key, *await run_in_threadpool(parts.assemble, upload_id, key))
        try:
            yield received
        except Exception as error:
            if await run_in_threadpool(_unlisted, context, key):
                await run_in_threadpool(parts.take_back, upload_id, key)
            if isinstance(error, Problem) and error.code == "unknown_format":
                await run_in_threadpool(forget, context, upload_id)
            raise
        await run_in_threadpool(forget, context, upload_id)


def _new_key() -> str:
    return f"{new_id('up')}/file"


def _unlisted(context: Context, key: str) -> bool:
    """Whether it is sure that nobody lists the file; where the database is away, time will tell."""
    try:
        with context.database.read() as repository:
            return bool(repository.unnamed([key]))
    except SQLAlchemyError:
        return False


def _end(context: Context, upload_id: str) -> None:
    try:
        with context.database.write() as repository:
            repository.end_upload(upload_id)
    except SQLAlchemyError as error:
        log.warning("the upload %s counts for an hour more: %s", upload_id, error)


def begin(context: Context, caller: Caller, way: str) -> Upload:
    """A new file on its way; raises OverQuota where too many are."""
    with context.database.write() as repository:
        return repository.begin_upload(caller.owner, context.settings.quota_of(caller.owner), way)


def find_upload(context: Context, caller: Caller, upload_id: str) -> Upload:
    """A file that comes in parts; raises UploadNotFound."""
    with context.database.read() as repository:
        return repository.upload(upload_id, caller.owner_filter)


def forget(context: Context, upload_id: str) -> None:
    """Removes what is left of a file that came in parts."""
    with context.database.write() as repository:
        repository.end_upload(upload_id)
    context.store.parts.drop(upload_id)


async def pour(request: Request, file: Sink, room: Room, heard: Callable[[bytes], None] = lambda content: None) -> int:
    """Writes the body to `file`; gives its size in bytes. What came before the caller left is written, too.

    Args:
        heard: gets every piece, in order.

    Raises:
        Exception: as `arriving`.
    """
    writer = _Writer(file, heard)
    size, pieces, waiting = 0, list[bytes](), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            await room.admit(size)
            pieces.append(chunk)
            waiting += len(chunk)
            if waiting >= _PIECE_BYTES:
                await writer.write(pieces)
                pieces, waiting = [], 0
    finally:
        await writer.write(pieces)
        await writer.wait()
    return size


class _Writer:
    """Writes pieces in a thread, one after the other, while the next are already coming in."""

    def __init__(self, file: Sink, heard: Callable[[bytes], None]) -> None:
        self._file, self._heard = file, heard
        self._busy: asyncio.Task[None] | None = None

    async def write(self, pieces: list[bytes]) -> None:
        """Begins to write, once what was begun before is written."""
        await self.wait()
        self._busy = asyncio.create_task(run_in_threadpool(self._write, pieces))

    async def wait(self) -> None:
        """Waits until all is written."""
        if self._busy is not None:
            busy, self._busy = self._busy, None
            await busy

    def _write(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._file.write(piece)
            self._heard(piece)
