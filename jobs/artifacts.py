"""Where the files of jobs lie. A file is whole before it can be seen, and listed in the database only after that."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from kd_engine.errors import DiskFullError
from kd_engine.files import DISK_FULL, sync_folder

_CHUNK_BYTES = 2**20
# A key is made by us: names joined by single slashes, none of them hidden, `.` or `..`.
_KEY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.+-]*(/[0-9A-Za-z_-][0-9A-Za-z_.+-]*)*", re.ASCII)
_PART = re.compile(r"\..+\.[0-9a-f]{16}\.part", re.ASCII)  # of a file that is being written
_PARTIAL = ".partial"  # a folder that no key leads into
_MEDIA_TYPES = {
    ".safetensors": "application/octet-stream",
    ".onnx": "application/octet-stream",
    ".pt2": "application/octet-stream",
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


class ArtifactStore(Protocol):
    """A place for files, each under a key like `job_.../3/report.json`."""

    def put(self, path: Path, key: str) -> tuple[int, str]:
        """Stores a copy of the file at `path`, whole or not at all; gives its size in bytes and its sha256.

        Raises:
            DiskFullError: there is no room; nothing was left behind and what lay under `key` is intact.
        """

    def scratch(self) -> Path:
        """A place for a new file that `take` can then have; what is left there is removed by `clear_parts`."""

    def partial(self, name: str) -> Path:
        """The place of a file that comes in parts, over hours; made by whoever writes the first of them."""

    def clear_partial(self, older_seconds: float) -> list[str]:
        """Removes files of `partial` that nobody has written to so long, and gives their names."""

    def take(self, path: Path, key: str) -> None:
        """Stores the file at `path`, a whole one, and leaves nothing there.

        Raises:
            DiskFullError: there is no room.
        """

    def give_back(self, key: str, path: Path) -> None:
        """Undoes `take`: the file lies at `path` again, and nothing under `key`."""

    def open(self, key: str) -> BinaryIO:
        """The file's bytes; raises FileNotFoundError."""

    def path(self, key: str) -> Path:
        """Where the file lies on this machine (only a local store has an answer)."""

    def delete(self, key: str) -> None:
        """Removes the file, if it is there."""

    def ages(self) -> Iterator[tuple[str, float]]:
        """Every file's key, and how many seconds ago it was stored."""

    def clear_parts(self, older_seconds: float) -> None:
        """Removes what a `put` that was killed left behind, so long ago."""


class LocalStore:
    """A store in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def put(self, path: Path, key: str) -> tuple[int, str]:
        target = self.path(key)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        try:
            self._make_folder(target.parent)
            result = _copy(path, temporary)
            temporary.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            if error.errno in DISK_FULL:
                raise DiskFullError(
                    f"no room to store '{target.name}' ({error.strerror}): free some space and run the job again"
                ) from error
            raise
        return result

    def scratch(self) -> Path:
        self._make_folder(self._root)
        return self._root / f".incoming.{secrets.token_hex(8)}.part"

    def partial(self, name: str) -> Path:
        if not _KEY.fullmatch(name) or "/" in name:
            raise ValueError(f"{name!r} is not a name of a file that comes in parts")
        self._make_folder(self._root / _PARTIAL)
        return self._root / _PARTIAL / name

    def clear_partial(self, older_seconds: float) -> list[str]:
        cleared = []
        for path in (self._root / _PARTIAL).glob("*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_seconds:
                    path.unlink()
                    cleared.append(path.name)
        return cleared

    def take(self, path: Path, key: str) -> None:
        target = self.path(key)
        self._make_folder(target.parent)
        path.replace(target)
        sync_folder(target.parent)

    def give_back(self, key: str, path: Path) -> None:
        self.path(key).replace(path)
        self.delete(key)  # its folders

    def open(self, key: str) -> BinaryIO:
        return self.path(key).open("rb")

    def path(self, key: str) -> Path:
        """Where the file lies.

        Raises:
            ValueError: the key is not one that this service makes, or it leads out of the store.
        """
        path = self._root / key
        if not _KEY.fullmatch(key) or not path.resolve().is_relative_to(self._root.resolve()):
            raise ValueError(f"{key!r} is not a key of the artifact store: expected names joined by '/'")
        return path

    def delete(self, key: str) -> None:
        path = self.path(key)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._root or not folder.is_relative_to(self._root):
                return
            try:
                folder.rmdir()
            except OSError:
                return  # other files are in it, or it is gone already

    def ages(self) -> Iterator[tuple[str, float]]:
        for path, age in self._files():
            key = path.relative_to(self._root).as_posix()
            if _KEY.fullmatch(key):
                yield key, age

    def clear_parts(self, older_seconds: float) -> None:
        for path, age in self._files():
            if _PART.fullmatch(path.name) and age > older_seconds:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[Path, float]]:
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = Path(folder, name)
                try:
                    age = time.time() - path.stat(follow_symlinks=False).st_mtime
                except FileNotFoundError:
                    continue  # somebody deletes at the same time
                yield path, age

    def _make_folder(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in reversed(missing):
            sync_folder(one.parent)


def _copy(source: Path, target: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return size, digest.hexdigest()


def media_type_of(name: str) -> str:
    """The media type of a file, by the end of its name."""
    return _MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
