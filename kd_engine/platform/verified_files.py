"""Reading a publisher's files with suspicion: every surprise is a DataError that names the file. No torch."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from kd_engine.platform.files import DISK_FULL, atomic_file
from kd_engine.platform.heartbeat import sign
from kd_engine.schema.errors import DataError, DiskFullError

ADVICE = "The file is truncated or was changed: delete it and get the publisher's file again."

_HASHED_AT_ONCE = 2**24  # items


def read(path: Path) -> bytes:
    """The whole file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_verified(path: Path, md5: str) -> bytes:
    """The whole file, once its md5 (hex) is the published one.

    Raises:
        DataError: it cannot be read, or its checksum is another.
    """
    content = read(path)
    found = md5_of(content)
    if found != md5:
        raise DataError(f"{path} has md5 {found} ({len(content):,} bytes); expected {md5}. {ADVICE}")
    return content


def md5_of(content: bytes) -> str:
    """md5 in hex: the checksum that publishers give. It finds accidents; it does not stop a determined forger."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class _Digest(Protocol):
    def update(self, data: memoryview, /) -> None: ...


def hash_in_parts(digest: _Digest, content: memoryview) -> None:
    """Hashes part by part what may be as large as the disk is slow."""
    for start in range(0, len(content), _HASHED_AT_ONCE):
        digest.update(content[start : start + _HASHED_AT_ONCE])
        sign("hashing the data set")


@contextmanager
def atomic_write(target: Path) -> Iterator[IO[bytes]]:
    """As `kd_engine.platform.files.atomic_file`, for the folders that a user names.

    Raises:
        DataError: the folder cannot be written to.
        DiskFullError: no room for it.
    """
    _check_folder(target.parent)
    with atomic_file(target) as file:
        yield file


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError(f"no room in {folder}: free some space there.") from error
        raise DataError(
            f"nothing can be written to {folder} ({error.strerror or error}): point KD_DATA_DIR (for a cache: "
            "KD_CACHE_DIR) at a folder that may be written to."
        ) from error
