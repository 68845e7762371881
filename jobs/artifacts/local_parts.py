"""Files that come in parts to a folder: each is one file, which its parts are added to."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from jobs.artifacts.base import check_upload
from jobs.errors import UploadBusy
from kd_engine.platform.files import DISK_FULL, make_folder, sha256_of, sync_folder
from kd_engine.schema.errors import DiskFullError


class LocalParts:
    """
    Args:
        root: the folder.
        path: where the store keeps the file of a key.
    """

    def __init__(self, root: Path, path: Callable[[str], Path]) -> None:
        self._root, self._path = root, path

    def arrived(self, upload: str) -> int:
        try:
            return self._partial(upload).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def alone(self, upload: str) -> Iterator[LocalPart]:
        path = self._partial(upload)
        make_folder(self._root)
        with _told_of_room(), path.open("ab") as file:
            if not _locked(file) or not _still_there(file, path):
                raise UploadBusy(upload)
            yield LocalPart(file)

    def assemble(self, upload: str, key: str) -> tuple[int, str]:
        partial, target = self._partial(upload), self._path(key)
        size, sha256 = partial.stat().st_size, sha256_of(partial)
        make_folder(target.parent)
        partial.replace(target)
        sync_folder(target.parent)
        return size, sha256

    def take_back(self, upload: str, key: str) -> None:
        target = self._path(key)
        target.replace(self._partial(upload))
        with suppress(OSError):
            target.parent.rmdir()

    def drop(self, upload: str) -> None:
        self._partial(upload).unlink(missing_ok=True)

    def clear(self, older_seconds: float) -> list[str]:
        cleared = []
        for path in self._root.glob("*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_seconds:
                    path.unlink()
                    cleared.append(path.name)
        return cleared

    def _partial(self, upload: str) -> Path:
        check_upload(upload)
        return self._root / upload


class LocalPart:
    """The file, opened to be written at its end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @property
    def arrived(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def write(self, content: bytes) -> None:
        with _told_of_room():
            self._file.write(content)

    def flush(self) -> None:
        with _told_of_room():
            self._file.flush()
            os.fsync(self._file.fileno())


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_there(file: IO[bytes], path: Path) -> bool:
    """Whether it is still a file in parts: another request may just have made it a file of the store."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _told_of_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError("no room for the file that was sent.") from error
        raise
