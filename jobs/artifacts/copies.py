"""Copies of files into a store and out of it, hashed on their way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobs.artifacts.base import PIECE_BYTES, ArtifactStore, Sink
from kd_engine.platform.files import atomic_file
from kd_engine.schema.errors import DataError


def bring(store: ArtifactStore, key: str, sha256: str, target: Path) -> Path:
    """A copy of a stored file at `target`, whole or not there at all.

    Raises:
        DataError: it is not what was listed.
        DiskFullError: there is no room for it.
        FileNotFoundError, StoreUnavailable: it cannot be had.
    """
    with atomic_file(target) as copy:
        if pour(store.read(key), copy)[1] != sha256:
            name = key.rpartition("/")[2]
            raise DataError(f"the stored file of '{name}' was damaged: its sha256 is not the listed one")
    return target


def pour(pieces: Iterable[bytes], target: Sink) -> tuple[int, str]:
    """Writes all of them; gives their size in bytes and their sha256."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        target.write(piece)
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def pieces_of(path: Path) -> Iterator[bytes]:
    """What a file holds, in pieces."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
