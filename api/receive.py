"""Takes a file from a request's body to the artifact store: in pieces, hashed on its way, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.deps import Context
from api.errors import Problem
from jobs.access import Caller
from jobs.artifacts import ArtifactInfo, ArtifactStore
from jobs.errors import OverQuota
from jobs.ids import new_id
from jobs.repository import uploads
from kd_engine.errors import DiskFullError
from kd_engine.files import DISK_FULL

_PIECE_BYTES = 2**20  # what is written at once: what arrives is a sixteenth of it, and a thread costs 50 microseconds
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
async def receive(request: Request, store: ArtifactStore, room: Room) -> AsyncIterator[Received]:
    """The file in the body, for the length of the block; afterwards nothing is left of it but what the store took.

    Raises:
        Exception: what `room` says of too many bytes, before they are read where the length is announced.
        Problem: 415 for a form.
        DiskFullError: no room.
        starlette.requests.ClientDisconnect: the caller left before the end.
    """
    _check_head(request, room)
    path = await run_in_threadpool(store.scratch)
    try:
        yield await _written(request, path, room)
    finally:
        await run_in_threadpool(path.unlink, missing_ok=True)


async def _written(request: Request, path: Path, room: Room) -> Received:
    digest, size, pieces, waiting = hashlib.sha256(), 0, list[bytes](), 0

    def write(file: IO[bytes], content: bytes) -> None:
        file.write(content)
        digest.update(content)

    try:
        with path.open("xb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > room.limit:
                    raise room.over
                pieces.append(chunk)
                waiting += len(chunk)
                if waiting >= _PIECE_BYTES:
                    await run_in_threadpool(write, file, b"".join(pieces))
                    pieces, waiting = [], 0
            await run_in_threadpool(write, file, b"".join(pieces))
            await run_in_threadpool(_flush, file)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError("no room for the file that was sent.") from error
        raise
    return Received(path, size, digest.hexdigest())


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _check_head(request: Request, room: Room) -> None:
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
    """The received file in the store, to be listed within the block; it goes again where that fails."""
    key = f"{new_id('up')}/{form}"
    context.store.take(received.path, key)
    try:
        yield ArtifactInfo(uploads.KIND, uploads.KIND, _MEDIA_TYPE, received.size, received.sha256, key)
    except BaseException:
        context.store.delete(key)
        raise
