"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kd_engine.platform.heartbeat import one_call, sign
from kd_engine.schema.errors import DiskFullError

_CHUNK_BYTES = 2**20
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears as `path`, whole and flushed, when the block ends, and not at all when it raises.

    Raises:
        DiskFullError: no room; the temporary file is gone and what `path` held before is intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide a shared folder's files from other users
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError(f"no room to write {path.name} ({error.strerror}): free some space there.") from error
        raise
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(path.parent)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes `path` whole; raises as `atomic_file` does."""
    with one_call(f"writing {path.name}", size=len(content)), atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Makes renames in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, so that they survive a power cut."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in reversed(missing):
        sync_folder(one.parent)


def sha256_of(path: Path) -> str:
    """sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            sign("hashing a file")
    return digest.hexdigest()
