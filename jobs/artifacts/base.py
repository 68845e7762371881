"""What every store of files does, wherever it keeps them."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from kd_engine.catalog.exporters import MEDIA_TYPES as EXPORTED

PIECE_BYTES = 2**20  # what is read and sent at once; 64 KiB reads 0.8 GB/s, this reads 3.3, as fast as nginx
PARTIAL = ".partial"  # where files lie that come in parts; no key leads there
# A key is made by us: names joined by single slashes, none of them hidden, `.` or `..`.
_KEY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.+-]*(/[0-9A-Za-z_-][0-9A-Za-z_.+-]*)*", re.ASCII)
_MEDIA_TYPES = {
    ".safetensors": "application/octet-stream",
    ".py": "text/x-python; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".zip": "application/zip",
    ".gz": "application/gzip",
}


@dataclass(frozen=True)
class ArtifactInfo:
    """A file that lies whole in the store.

    Attributes:
        name: what a user calls it.
        kind: `result` (for users) or `checkpoint` (for the next attempt alone).
        size: in bytes.
        sha256: of its bytes, in hex.
        key: what the store calls it.
    """

    name: str
    kind: str
    media_type: str
    size: int
    sha256: str
    key: str


class Sink(Protocol):
    """What takes bytes, in order."""

    def write(self, content: bytes, /) -> object: ...


class Part(Sink, Protocol):
    """The end of a file that comes in parts, held by one writer at a time."""

    @property
    def arrived(self) -> int:
        """Bytes that have come; those of this writer count once they are flushed."""

    def flush(self) -> None:
        """Makes what was written safe, and part of what has arrived."""


class Parts(Protocol):
    """Files that come in parts, over hours, each under the id of its upload. Every server of the API sees the same.

    All of them raise StoreUnavailable, and what writes DiskFullError.
    """

    def arrived(self, upload: str) -> int:
        """How many bytes have come."""

    def alone(self, upload: str) -> AbstractContextManager[Part]:
        """The end of the file, while nobody else has it.

        Raises:
            UploadBusy: somebody has; or, from the part's own methods, somebody has written there meanwhile.
        """

    def assemble(self, upload: str, key: str) -> tuple[int, str]:
        """Makes what has arrived the file under `key`; gives its size in bytes and its sha256. Only while alone."""

    def take_back(self, upload: str, key: str) -> None:
        """Undoes `assemble`: nothing lies under `key`, and more parts may come."""

    def drop(self, upload: str) -> None:
        """Removes what has arrived, if anything has."""

    def clear(self, older_seconds: float) -> list[str]:
        """Removes what nobody has sent more of for so long, and gives the ids of the uploads."""


class ArtifactStore(Protocol):
    """A place for files, each under a key like `job_.../3/report.json`.

    All of it raises ValueError for a key that this service does not make, and StoreUnavailable while the store is
    away; what reads a file raises FileNotFoundError where there is none; what writes one DiskFullError where there is
    no room. Then nothing was left behind, and what lay under the key is intact.
    """

    @property
    def parts(self) -> Parts:
        """Files that are on their way in parts."""

    def put(self, path: Path, key: str) -> tuple[int, str]:
        """Stores a copy of the file at `path`, whole or not at all; gives its size in bytes and its sha256."""

    def writing(self, key: str) -> AbstractContextManager[Sink]:
        """Takes a file piece by piece; it appears under `key` when the block ends, and not at all when it raises."""

    def size(self, key: str) -> int:
        """The size of the file, in bytes."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> Generator[bytes]:
        """The bytes from `start` up to `end`, which is not among them, in pieces of at most `PIECE_BYTES`.

        Who does not take them all closes it: it holds the file open.
        """

    def open(self, key: str) -> BinaryIO:
        """The file, to look at here and there; `read` is faster where all of it is wanted."""

    def fetch(self, key: str, sha256: str, target: Path) -> Path:
        """Where the file lies on this machine: in the store itself, or else at `target`, copied there unless it is.

        Raises:
            DataError: what was copied has another sha256.
        """

    def delete(self, key: str) -> None:
        """Removes the file, if it is there."""

    def ages(self) -> Iterator[tuple[str, float]]:
        """Every file's key, and how many seconds ago it was stored."""

    def clear_unfinished(self, older_seconds: float) -> None:
        """Removes what was left so long ago by those who were killed while they wrote."""

    def ping(self) -> None:
        """Returns if the store can be used."""


def check_key(key: str) -> None:
    """Raises ValueError for a key that this service does not make."""
    if not is_key(key):
        raise ValueError(f"{key!r} is not a key of the artifact store: expected names joined by '/'")


def is_key(text: str) -> bool:
    """Whether this service makes such keys."""
    return _KEY.fullmatch(text) is not None


def check_upload(name: str) -> None:
    """Raises ValueError for what is no id of an upload: a single name."""
    if not is_key(name) or "/" in name:
        raise ValueError(f"{name!r} is not a name of a file that comes in parts")


def no_file(key: str) -> FileNotFoundError:
    """What is raised where there is no such file; the message names no folder and no server."""
    return FileNotFoundError(f"the artifact store has no file '{key}'")


def media_type_of(name: str) -> str:
    """The media type of a file: as its exporter says, or by the end of its name."""
    return EXPORTED.get(name) or _MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
