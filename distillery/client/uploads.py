"""A file sent in parts: a broken connection costs its last part, and so does a program that ends in between."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from distillery.client.pack import pack
from distillery.client.transport import Transport, path_of, read
from distillery.errors import UploadNotFound, WrongOffset
from distillery.resources import UploadView

R = TypeVar("R")
Progress = Callable[[int, int], None]
"""Called with the bytes that have arrived, and those that there are."""

_PART = 8 * 2**20  # bytes


@contextlib.contextmanager
def as_file(path: Path) -> Iterator[BinaryIO]:
    """The file, or the folder packed into one.

    Raises:
        FileNotFoundError: there is none, or it is a folder of nothing.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile(prefix="distillery-") as packed:
        pack(path, packed)
        packed.seek(0)
        yield packed


def deliver(transport: Transport, file: BinaryIO, progress: Progress, make: Callable[[str], R]) -> R:
    """Sends all of the file, and returns what `make` makes of the id of the upload."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_PART):
        digest.update(chunk)
        size += len(chunk)
    note = _note(transport.url, digest.hexdigest())
    try:
        made = make(_send(transport, file, size, note, progress))
    except UploadNotFound:
        # It went while this was at work, or the answer to `make` was lost: the same content again is the same thing.
        note.unlink(missing_ok=True)
        made = make(_send(transport, file, size, note, progress))
    note.unlink(missing_ok=True)
    return made


def _send(transport: Transport, file: BinaryIO, size: int, note: Path, progress: Progress) -> str:
    """The id of an upload that has all of the file; one that an earlier program has begun is gone on with."""
    upload = _begun(transport, note) or _begin(transport, note)
    path, offset = path_of("uploads", upload.id), upload.offset
    progress(offset, size)
    for retry in transport.retries(f"PATCH {path}"):
        if offset >= size:
            break
        file.seek(offset)
        try:
            answer = transport.request(
                "PATCH", path, content=file.read(_PART),
                headers={"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"},
            )  # fmt: skip
            offset = read(UploadView, answer.content).offset
        except WrongOffset as error:  # of a part whose answer was lost: all of it has arrived, some, or nothing
            arrived = transport.get(path, UploadView).offset
            if arrived == offset:
                retry.after(error)
            offset = arrived
        else:
            retry.worked()
        progress(offset, size)
    return upload.id


def _begin(transport: Transport, note: Path) -> UploadView:
    upload = read(UploadView, transport.request("POST", "/uploads").content)
    with contextlib.suppress(OSError):  # then this one is not gone on with by another program
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.write_text(upload.id)
    return upload


def _begun(transport: Transport, note: Path) -> UploadView | None:
    try:
        return transport.get(path_of("uploads", note.read_text().strip()), UploadView)
    except (OSError, UploadNotFound):
        return None


def _note(url: str, sha256: str) -> Path:
    """Where the id of the upload of this content to this service is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(f"{url} {sha256}".encode()).hexdigest()
    return cache / "distillery" / "uploads" / name
