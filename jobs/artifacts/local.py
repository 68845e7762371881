"""Files in a folder of this machine, or of a file system that all machines share."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from jobs.artifacts.base import PARTIAL, PIECE_BYTES, check_key, is_key, no_file
from jobs.artifacts.copies import pieces_of, pour
from jobs.artifacts.local_parts import LocalParts
from kd_engine.platform.files import DISK_FULL, make_folder, sync_folder
from kd_engine.schema.errors import DiskFullError

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{16}\.part", re.ASCII)  # a file that is being written


class LocalStore:
    """A store in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self.parts = LocalParts(self._root / PARTIAL, self.path)

    def put(self, path: Path, key: str) -> tuple[int, str]:
        with self.writing(key) as target:
            return pour(pieces_of(path), target)

    @contextmanager
    def writing(self, key: str) -> Iterator[IO[bytes]]:
        target = self.path(key)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        try:
            make_folder(target.parent)
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            sync_folder(target.parent)
        except BaseException as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
                self._prune(target)
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise DiskFullError(
                    f"no room to store '{target.name}' ({error.strerror}): free some space and run the job again"
                ) from error
            raise

    def size(self, key: str) -> int:
        try:
            return self.path(key).stat().st_size
        except FileNotFoundError:
            raise no_file(key) from None

    def read(self, key: str, start: int = 0, end: int | None = None) -> Generator[bytes]:
        with self.open(key) as file:
            file.seek(start)
            while piece := file.read(PIECE_BYTES if end is None else min(PIECE_BYTES, end - start)):
                start += len(piece)
                yield piece

    def open(self, key: str) -> BinaryIO:
        try:
            return self.path(key).open("rb")
        except FileNotFoundError:
            raise no_file(key) from None

    def fetch(self, key: str, sha256: str, target: Path) -> Path:
        """Where it lies already: large files are not copied, and who reads one looks at its sha256."""
        self.size(key)
        return self.path(key)

    def path(self, key: str) -> Path:
        """Where the file lies.

        Raises:
            ValueError: the key is not one that this service makes, or it leads out of the store.
        """
        check_key(key)
        path = self._root / key
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise ValueError(f"{key!r} is not a key of the artifact store: it leads out of it")
        return path

    def delete(self, key: str) -> None:
        path = self.path(key)
        path.unlink(missing_ok=True)
        self._prune(path)

    def ages(self) -> Iterator[tuple[str, float]]:
        for path, age in self._files():
            key = path.relative_to(self._root).as_posix()
            if is_key(key):
                yield key, age

    def clear_unfinished(self, older_seconds: float) -> None:
        for path, age in self._files():
            if _UNFINISHED.fullmatch(path.name) and age > older_seconds:
                path.unlink(missing_ok=True)

    def ping(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)

    def _prune(self, path: Path) -> None:
        """Removes the folders above a file that is gone, as far as they are empty."""
        for folder in path.parents:
            if folder == self._root or not folder.is_relative_to(self._root):
                return
            try:
                folder.rmdir()
            except OSError:
                return  # other files are in it, or it is gone already

    def _files(self) -> Iterator[tuple[Path, float]]:
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = Path(folder, name)
                try:
                    age = time.time() - path.stat(follow_symlinks=False).st_mtime
                except FileNotFoundError:
                    continue  # somebody deletes at the same time
                yield path, age
