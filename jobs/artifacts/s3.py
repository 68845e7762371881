"""Files in a bucket of S3-compatible storage, so that machines need no folder in common."""

from __future__ import annotations

import io
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import obstore

from jobs.artifacts.base import PIECE_BYTES, check_key, is_key
from jobs.artifacts.copies import bring, pieces_of, pour
from jobs.artifacts.s3_client import CHECKS, asking, connect, storing, try_out
from jobs.artifacts.s3_parts import S3Parts

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# What one request reads. One for a whole file would have to last as long as the slowest of those who download it.
_READ_BYTES = 8 * PIECE_BYTES
# A file is sent in parts of this size, some of them at once. S3 takes 10,000 parts: files of up to 160 GiB.
_WRITE_BYTES = 16 * PIECE_BYTES
_AT_ONCE = 3


class S3Store:
    """A store in a bucket.

    Raises:
        jobs.settings.SettingsError: it cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._bucket, self._hasty = connect(url), connect(url, patient=False)
        try_out(self._bucket, url)
        self.parts = S3Parts(self._bucket, self.writing)

    def put(self, path: Path, key: str) -> tuple[int, str]:
        with self.writing(key) as target:
            return pour(pieces_of(path), target)

    @contextmanager
    def writing(self, key: str) -> Iterator[_Writing]:
        check_key(key)
        writer = obstore.open_writer(self._bucket, key, buffer_size=_WRITE_BYTES, max_concurrency=_AT_ONCE)
        try:
            yield _Writing(writer)
        except BaseException as error:
            # takes back what was sent; a server that is away cannot be asked to, and has a rule for it
            with suppress(Exception):
                writer.__exit__(type(error), error, error.__traceback__)
            raise
        with storing():
            writer.close()

    def size(self, key: str) -> int:
        check_key(key)
        with asking(key):
            return self._bucket.head(key)["size"]

    def read(self, key: str, start: int = 0, end: int | None = None) -> Generator[bytes]:
        end = self.size(key) if end is None else end
        for begins in range(start, end, _READ_BYTES):
            content = self._range(key, begins, min(end, begins + _READ_BYTES))
            for at in range(0, len(content), PIECE_BYTES):
                yield bytes(content[at : at + PIECE_BYTES])

    def open(self, key: str) -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_File(self, key, self.size(key)), PIECE_BYTES))

    def fetch(self, key: str, sha256: str, target: Path) -> Path:
        return target if target.exists() else bring(self, key, sha256, target)

    def delete(self, key: str) -> None:
        check_key(key)
        with storing():
            self._bucket.delete(key)

    def ages(self) -> Iterator[tuple[str, float]]:
        for path, age in self._objects(None):
            if is_key(path):
                yield path, age

    def clear_unfinished(self, older_seconds: float) -> None:
        """Nobody but the server sees files half written: a rule of the bucket removes them (docs/settings.md)."""
        for path, age in self._objects(CHECKS):
            if age > older_seconds:
                with storing():
                    self._bucket.delete(path)

    def ping(self) -> None:
        with storing():
            self._hasty.list_with_delimiter(CHECKS)

    def _range(self, key: str, start: int, end: int) -> memoryview:
        check_key(key)
        with asking(key):
            return memoryview(cast("Any", self._bucket.get_range(key, start=start, end=end)))

    def _objects(self, prefix: str | None) -> Iterator[tuple[str, float]]:
        with storing():
            for batch in self._bucket.list(prefix):
                for found in batch:
                    yield found["path"], time.time() - found["last_modified"].timestamp()


class _Writing:
    """A file that is being sent."""

    def __init__(self, writer: obstore.WritableFile) -> None:
        self._writer = writer

    def write(self, content: bytes) -> None:
        with storing():
            self._writer.write(content)


class _File(io.RawIOBase):
    """A stored file, read here and there."""

    def __init__(self, store: S3Store, key: str, size: int) -> None:
        self._store, self._key, self._size = store, key, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        end = min(self._size, self._at + len(view))
        content = b"".join(self._store.read(self._key, self._at, end))
        view[: len(content)] = content
        self._at += len(content)
        return len(content)
