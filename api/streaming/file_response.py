"""Sends a file of the artifact store: whole, in part, or not at all when the caller has it already."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from email.utils import format_datetime
from pathlib import PurePosixPath
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response

from api.dependencies.context import Context
from api.dependencies.fair_share import FairShareResponse
from api.http.errors import Problem
from api.http.etag import check_expected, quoted, unchanged
from api.http.ranges import parse_ranges
from api.middleware.auth import caller_of
from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactNotFound
from jobs.tables import Artifact

Ranges = list[tuple[int, int]]


def send_artifact(request: Request, artifact: Artifact, context: Context, *, inline: bool = False) -> Response:
    """The answer to GET or HEAD of an artifact.

    Raises:
        ArtifactNotFound: the file went away since it was looked up.
        StoreUnavailable: the store is away.
        Problem: 412; 416; 500 when the file has not the size that was published.
    """
    store = context.store
    etag = quoted(artifact.sha256)
    headers = {
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(artifact.sha256)).decode()}:",
        "Last-Modified": format_datetime(artifact.created_at, usegmt=True),
        "Cache-Control": "private, no-cache",
    }
    check_expected(request, etag, artifact.created_at)
    if unchanged(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    _check_size(artifact, store)
    headers |= {
        "Content-Type": artifact.media_type,
        "Accept-Ranges": "bytes",
        "Content-Disposition": _disposition(artifact.name, inline),
        "Content-Length": str(artifact.size),
    }
    if request.method == "HEAD":  # ranges are defined for GET alone (RFC 9110, section 14.2)
        return Response(headers=headers)
    ranges = _asked(request, headers, artifact.size)
    if len(ranges) > 1:
        body = _several(artifact, store, ranges, headers)
        return _sent(body, headers, 206, context, caller_of(request).owner)
    if not ranges:
        body = store.read(artifact.key, 0, artifact.size)
        return _sent(body, headers, 200, context, caller_of(request).owner)
    [(start, end)] = ranges
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{artifact.size}", "Content-Length": str(end - start)}
    return _sent(store.read(artifact.key, start, end), headers, 206, context, caller_of(request).owner)


def _asked(request: Request, headers: dict[str, str], size: int) -> Ranges:
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range") not in {None, headers["ETag"], headers["Last-Modified"]}:
        return []
    return parse_ranges(asked, size)


def _check_size(artifact: Artifact, store: ArtifactStore) -> None:
    try:
        size = store.size(artifact.key)
    except FileNotFoundError:
        raise ArtifactNotFound(artifact.job_id, artifact.name) from None
    if size != artifact.size:
        raise Problem(
            "artifact_damaged",
            f"'{artifact.name}' was published with {artifact.size} bytes and has {size}; run the job again.",
        )


def _disposition(name: str, inline: bool) -> str:
    """The file's own name; in percent signs (RFC 8187) where a character would be part of the header itself."""
    file_name = PurePosixPath(name).name
    encoded = quote(file_name)
    written = f'filename="{file_name}"' if encoded == file_name else f"filename*=utf-8''{encoded}"
    return f"{'inline' if inline else 'attachment'}; {written}"


def _several(artifact: Artifact, store: ArtifactStore, ranges: Ranges, headers: dict[str, str]) -> Generator[bytes]:
    """The ranges as the parts of one body (RFC 9110, section 14.6), and its headers."""
    boundary = secrets.token_hex(13)
    heads = [
        f"--{boundary}\r\nContent-Type: {artifact.media_type}\r\n"
        f"Content-Range: bytes {start}-{end - 1}/{artifact.size}\r\n\r\n".encode("latin-1")
        for start, end in ranges
    ]
    last = f"--{boundary}--".encode("latin-1")

    def body() -> Generator[bytes]:
        for head, (start, end) in zip(heads, ranges, strict=True):
            yield head
            yield from store.read(artifact.key, start, end)
            yield b"\r\n"
        yield last

    size = len(last) + sum(
        len(head) + end - start + len(b"\r\n") for head, (start, end) in zip(heads, ranges, strict=True)
    )
    headers |= {"Content-Type": f"multipart/byteranges; boundary={boundary}", "Content-Length": str(size)}
    return body()


def _sent(
    pieces: Generator[bytes], headers: dict[str, str], status: int, context: Context, owner: str
) -> FairShareResponse:
    """The pieces of a file, which holds a place of its caller's until all are taken."""
    return FairShareResponse(_read(pieces, context.file_threads), context.downloads, owner, status, headers)


async def _read(pieces: Generator[bytes], threads: CapacityLimiter) -> AsyncGenerator[bytes]:
    with closing(pieces):
        while (piece := await to_thread.run_sync(next, pieces, None, limiter=threads)) is not None:
            yield piece
