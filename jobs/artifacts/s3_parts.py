"""Files that come in parts to a bucket: each is a row of objects, every one named by where it begins.

Two servers of the API may be sent parts of one file. An object is only ever made, never overwritten, and whoever makes
one has seen that the row ends there: so the row has neither gaps nor overlaps, whatever happens. A lock, which is one
more object, keeps two from sending the same bytes for nothing; that of a server that was killed counts for a minute.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.artifacts.base import PARTIAL, PIECE_BYTES, Sink, check_upload
from jobs.artifacts.copies import pour
from jobs.artifacts.s3_client import asking, create, storing
from jobs.errors import StoreUnavailable, UploadBusy

if TYPE_CHECKING:
    from obstore.store import S3Store as Bucket

log = logging.getLogger(__name__)
_OBJECT_BYTES = 8 * PIECE_BYTES  # of a part, what a server that is killed can lose
_LOCK = "lock"
_RENEW_SECONDS = 15.0
_STALE_SECONDS = 60.0  # far above the renewals, and above what clocks differ


@dataclass(frozen=True)
class _Piece:
    path: str
    begins: int
    size: int


class S3Parts:
    """
    Args:
        writing: as of the store.
    """

    def __init__(self, bucket: Bucket, writing: Callable[[str], AbstractContextManager[Sink]]) -> None:
        self._bucket, self._writing = bucket, writing

    def arrived(self, upload: str) -> int:
        return sum(piece.size for piece in self._row(upload))

    @contextmanager
    def alone(self, upload: str) -> Iterator[S3Part]:
        lock = _Lock(self._bucket, upload)
        lock.take()
        try:
            yield S3Part(self._bucket, upload, self.arrived(upload), lock)
        finally:
            lock.release()

    def assemble(self, upload: str, key: str) -> tuple[int, str]:
        """Through this machine: its sha256 is wanted, so all of it has to be read anyway."""
        try:
            with self._writing(key) as target:
                return pour(self._content(upload), target)
        except FileNotFoundError:  # somebody thought that this server was gone, and was faster
            raise UploadBusy(upload) from None

    def take_back(self, upload: str, key: str) -> None:
        with storing():
            self._bucket.delete(key)

    def drop(self, upload: str) -> None:
        with storing():
            self._bucket.delete([found["path"] for batch in self._bucket.list(_folder(upload)) for found in batch])

    def clear(self, older_seconds: float) -> list[str]:
        newest: dict[str, float] = defaultdict(float)
        with storing():
            for batch in self._bucket.list(PARTIAL):
                for found in batch:
                    upload = found["path"].split("/")[1]
                    newest[upload] = max(newest[upload], found["last_modified"].timestamp())
        cleared = [upload for upload, at in newest.items() if time.time() - at > older_seconds]
        for upload in cleared:
            self.drop(upload)
        return cleared

    def _content(self, upload: str) -> Iterator[bytes]:
        lock = _Lock(self._bucket, upload)
        for piece in self._row(upload):
            lock.renew()
            with asking(piece.path):
                content = bytes(self._bucket.get(piece.path).bytes())
            yield content

    def _row(self, upload: str) -> list[_Piece]:
        """The objects that follow each other from the beginning."""
        with storing():
            listed = [found for batch in self._bucket.list(_folder(upload)) for found in batch]
        named = [(found["path"].rpartition("/")[2], found) for found in listed]
        pieces = [_Piece(found["path"], int(name), found["size"]) for name, found in named if name.isdecimal()]
        row: list[_Piece] = []
        for piece in sorted(pieces, key=lambda piece: piece.begins):
            if piece.begins == (row[-1].begins + row[-1].size if row else 0):
                row.append(piece)
        return row


class S3Part:
    """The end of the row."""

    def __init__(self, bucket: Bucket, upload: str, arrived: int, lock: _Lock) -> None:
        self._bucket, self._upload, self._lock = bucket, upload, lock
        self._waiting = bytearray()
        self.arrived = arrived

    def write(self, content: bytes) -> None:
        self._waiting += content
        if len(self._waiting) >= _OBJECT_BYTES:
            self.flush()
        self._lock.renew()

    def flush(self) -> None:
        if not self._waiting:
            return
        path = f"{_folder(self._upload)}/{self.arrived:018d}"
        if not create(self._bucket, path, bytes(self._waiting)):
            raise UploadBusy(self._upload)
        self.arrived += len(self._waiting)
        self._waiting.clear()


class _Lock:
    """Says to others that somebody is at it. What keeps the row whole does not depend on it."""

    def __init__(self, bucket: Bucket, upload: str) -> None:
        self._bucket, self._upload = bucket, upload
        self._path = f"{_folder(upload)}/{_LOCK}"
        self._renewed = time.monotonic()

    def take(self) -> None:
        if not self._made() and not (self._is_stale() and self._made_anew()):
            raise UploadBusy(self._upload)

    def renew(self) -> None:
        if time.monotonic() - self._renewed > _RENEW_SECONDS:
            with storing():
                self._bucket.put(self._path, b"")
            self._renewed = time.monotonic()

    def release(self) -> None:
        try:
            with storing():
                self._bucket.delete(self._path)
        except StoreUnavailable as error:
            log.warning("the lock of the upload %s stays for a minute: %s", self._upload, error)

    def _made(self) -> bool:
        return create(self._bucket, self._path, b"")

    def _made_anew(self) -> bool:
        with storing():
            self._bucket.delete(self._path)
        return self._made()

    def _is_stale(self) -> bool:
        try:
            with asking(self._path):
                made = self._bucket.head(self._path)["last_modified"]
        except FileNotFoundError:
            return True  # let go meanwhile
        return time.time() - made.timestamp() > _STALE_SECONDS


def _folder(upload: str) -> str:
    check_upload(upload)
    return f"{PARTIAL}/{upload}"
