"""Takes a file from a request's body to the artifact store: in pieces, hashed on its way, whole or not at all."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.deps import Context
from api.errors import Problem
from jobs.access import Caller
from jobs.artifacts import ArtifactInfo
from jobs.errors import OverQuota
from jobs.ids import new_id
from jobs.models import Upload
from jobs.repository import uploads
from kd_engine.errors import DiskFullError
from kd_engine.files import DISK_FULL, sha256_of

_PIECE_BYTES = 2**22  # what a thread is given at once: some twenty times as much as arrives at once
_MULTIPART = "multipart/form-data"
_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Received:
    """A file that arrived whole.

    Attributes:
        path: in the store's scratch; whoever wants to keep it has the store take it.
        sha256: of its bytes, in hex.
    """

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Room:
    """How many bytes may come, and what to say of more."""

    limit: int
    over: Exception


@asynccontextmanager
async def arriving(
    request: Request, context: Context, caller: Caller, upload_id: str | None
) -> AsyncIterator[Received]:
    """The file that a request sends, for the length of the block; afterwards nothing is left but what the store took.

    It is the body, or the file that came in parts before.

    Raises:
        Problem, OverQuota: too many bytes; they are not even read where the length is announced. 415 for a form.
        UploadNotFound: no such file in parts.
        DiskFullError: no room.
        starlette.requests.ClientDisconnect: the caller left before the end.
    """
    if upload_id is not None:
        async with _in_parts(context, caller, upload_id) as received:
            yield received
        return
    room = await run_in_threadpool(room_of, context, caller)
    check_head(request, room)
    path = await run_in_threadpool(context.store.scratch)
    try:
        digest = hashlib.sha256()
        with path.open("xb") as file:
            size = await pour(request, file, room, digest.update)
        yield Received(path, size, digest.hexdigest())
    finally:
        await run_in_threadpool(path.unlink, missing_ok=True)


@asynccontextmanager
async def _in_parts(context: Context, caller: Caller, upload_id: str) -> AsyncIterator[Received]:
    """Kept where the request fails for a reason that may pass, so that nothing need be sent twice."""
    _, path = await run_in_threadpool(find_upload, context, caller, upload_id)
    with alone(path) as file:
        received = await run_in_threadpool(_whole, Path(file.name), upload_id)
        try:
            yield received
        except Problem as problem:
            if problem.code == "unknown_format":
                await run_in_threadpool(forget, context, upload_id)
            raise
        await run_in_threadpool(forget, context, upload_id)


def find_upload(context: Context, caller: Caller, upload_id: str) -> tuple[Upload, Path]:
    """A file that comes in parts, and where what has arrived of it lies; raises UploadNotFound."""
    with context.database.read() as repository:
        upload = repository.upload(upload_id, caller.sees)
    return upload, context.store.partial(upload_id)


def _whole(path: Path, upload_id: str) -> Received:
    size = path.stat().st_size
    if size == 0:
        message = f"Nothing has come for the upload '{upload_id}' yet; send its first part with PATCH."
        raise Problem("wrong_offset", message, offset=0)
    return Received(path, size, sha256_of(path))


@contextmanager
def alone(path: Path) -> Iterator[IO[bytes]]:
    """The file, to be written at its end, while nobody else has it so.

    Raises:
        Problem: 409; somebody has.
    """
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("wrong_offset", "Another part is just arriving; wait for it, and ask how much has.") from None
        yield file


def forget(context: Context, upload_id: str) -> None:
    """Removes what is left of a file that came in parts."""
    with context.database.write() as repository:
        repository.end_upload(upload_id)
    context.store.partial(upload_id).unlink(missing_ok=True)


async def pour(
    request: Request, file: IO[bytes], room: Room, heard: Callable[[bytes], None] = lambda content: None
) -> int:
    """Writes the body to `file`, flushed; gives its size in bytes. What came before the caller left is written, too.

    Args:
        heard: gets every piece, in order.

    Raises:
        Exception: as `arriving`.
    """
    writer = _Writer(file, heard)
    size, pieces, waiting = 0, list[bytes](), 0
    try:
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > room.limit:
                    raise room.over
                pieces.append(chunk)
                waiting += len(chunk)
                if waiting >= _PIECE_BYTES:
                    await writer.write(pieces)
                    pieces, waiting = [], 0
        finally:
            await writer.write(pieces)
            await writer.flush()
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError("no room for the file that was sent.") from error
        raise
    return size


class _Writer:
    """Writes pieces in a thread, one after the other, while the next are already coming in."""

    def __init__(self, file: IO[bytes], heard: Callable[[bytes], None]) -> None:
        self._file, self._heard = file, heard
        self._busy: asyncio.Task[None] | None = None

    async def write(self, pieces: list[bytes]) -> None:
        """Begins to write, once what was begun before is written."""
        await self._wait()
        self._busy = asyncio.create_task(run_in_threadpool(self._write, pieces))

    async def flush(self) -> None:
        """Waits until all is written and safe from a power cut."""
        await self._wait()
        await run_in_threadpool(self._flush)

    async def _wait(self) -> None:
        if self._busy is not None:
            busy, self._busy = self._busy, None
            await busy

    def _write(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._file.write(piece)
            self._heard(piece)

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def check_head(request: Request, room: Room) -> None:
    """Raises what is to be said of a form, or of more bytes than there is room for where their number is announced."""
    if request.headers.get("content-type", "").lower().startswith(_MULTIPART):
        raise Problem(
            "unsupported_media_type",
            "The body is a form; send the file itself as the body (with curl: -T FILE, or --data-binary @FILE).",
        )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > room.limit:
        raise room.over


def room_of(context: Context, caller: Caller) -> Room:
    """The bytes that the caller may send: so many at once, and no more than are left of its quota."""
    most, quota = context.settings.max_upload_bytes, context.settings.quota_of(caller.owner)
    message = f"The file is over {most:,} bytes, the most that is taken at once (KD_MAX_UPLOAD_BYTES)."
    room = Room(most, Problem("body_too_large", message))
    if quota.bytes is None:
        return room
    with context.database.read() as repository:
        used = repository.usage(caller.owner).bytes
    left = max(0, quota.bytes - used)
    if left >= most:
        return room
    message = f"your files take {used:,} bytes, and {quota.bytes:,} are allowed: this one is larger than what is left"
    return Room(left, OverQuota("bytes", used, quota.bytes, f"{message}; delete what you no longer need"))


@contextmanager
def kept(received: Received, form: str, context: Context) -> Iterator[ArtifactInfo]:
    """The received file in the store, to be listed within the block; where that fails, it is where it was before."""
    key = f"{new_id('up')}/{form}"
    context.store.take(received.path, key)
    try:
        yield ArtifactInfo(uploads.KIND, uploads.KIND, _MEDIA_TYPE, received.size, received.sha256, key)
    except BaseException:
        context.store.give_back(key, received.path)
        raise
