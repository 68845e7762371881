"""Reading a publisher's files with suspicion: every surprise is a DataError that names the file. No torch."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kd_engine.errors import DataError, DiskFullError

ADVICE = "The file is truncated or was changed: delete it and get the publisher's file again."


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


@contextmanager
def atomic_write(target: Path) -> Iterator[IO[bytes]]:
    """A file that appears as `target`, whole and flushed, when the block ends, and not at all when it raises.

    Raises:
        DataError: its folder cannot be written to.
        DiskFullError: no room for it.
    """
    handle, temporary = _temporary(target)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would hide a shared data folder's files from other users
        temporary.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"no room for {target}: free some space there.") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(target: Path) -> tuple[int, Path]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise DataError(
            f"nothing can be written to {target.parent} ({error.strerror or error}): point KD_DATA_DIR (for a cache: "
            "KD_CACHE_DIR) at a folder that may be written to."
        ) from error
    return handle, Path(name)
