"""Zip and tar archives from outside. All names and sizes are checked before the first byte of content is used.

No absolute name, no `..`, no link, no device, nothing encrypted, no name twice; so many entries and bytes and no more.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kd_engine.errors import DataError

MOST_ENTRIES = 2_000_000
MOST_BYTES = 1 << 40  # unpacked
MOST_FILE_BYTES = 256 * 2**20  # of one file: it is read whole
# Pictures hardly shrink; text shrinks ten times. Above this, and beyond a size that could not hurt, it is a bomb.
MOST_RATIO = 100
HARMLESS_BYTES = 256 * 2**20
_LONGEST_NAME = 1000
_LONGEST_TAR_HEADER = 2**20
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """A plain file of an archive.

    Attributes:
        name: parts joined by `/`.
        size: bytes, unpacked.
    """

    name: str
    size: int


class Archive:
    """An archive whose members were all looked at.

    Raises:
        DataError: it is broken, or holds what is not taken.
    """

    def __init__(self, path: Path, *, is_tar: bool) -> None:
        self._path, self._is_tar = path, is_tar
        with _told():
            self.members = _checked(self._tar_members() if is_tar else self._zip_members(), path.stat().st_size)

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """The wanted members and their bytes, in the archive's order (a packed tar can be read in no other).

        Raises:
            DataError: the archive is broken at one of them.
        """
        by_name = {member.name: member for member in wanted}
        with _told():
            yield from self._tar_contents(by_name) if self._is_tar else self._zip_contents(by_name)

    def _zip_members(self) -> Iterator[Member]:
        with zipfile.ZipFile(self._path) as archive:
            for info in archive.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if info.is_dir():
                    _check_name(info.filename)
                    continue
                if kind not in (0, stat.S_IFREG):
                    raise DataError(_not_plain(info.filename))
                if info.flag_bits & 0x1:
                    raise DataError(f"'{_shown(info.filename)}' is encrypted; pack the archive without a password.")
                yield Member(info.filename, info.file_size)

    def _zip_contents(self, by_name: dict[str, Member]) -> Iterator[tuple[Member, bytes]]:
        with zipfile.ZipFile(self._path) as archive:
            for info in archive.infolist():
                member = by_name.get(_plain(info.filename))
                if member is not None and not info.is_dir():
                    yield member, archive.read(info)

    def _tar_members(self) -> Iterator[Member]:
        with tarfile.open(self._path, "r:*", tarinfo=_BoundedHeader) as archive:
            for info in archive:
                if info.isdir():
                    _check_name(info.name)
                elif info.isreg() and not info.issparse():
                    yield Member(info.name, info.size)
                else:
                    raise DataError(_not_plain(info.name))

    def _tar_contents(self, by_name: dict[str, Member]) -> Iterator[tuple[Member, bytes]]:
        with tarfile.open(self._path, "r:*", tarinfo=_BoundedHeader) as archive:
            for info in archive:
                member = by_name.get(_plain(info.name))
                file = archive.extractfile(info) if member is not None and info.isreg() else None
                if member is not None and file is not None:
                    yield member, file.read()


_LONG_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip


class _BoundedHeader(tarfile.TarInfo):
    """Names in tar may be of any length, and tarfile reads them whole into memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> Self:
        if self.type in _LONG_HEADERS and self.size > _LONGEST_TAR_HEADER:
            raise DataError(f"the archive holds a header of {self.size:,} bytes; no name is that long.")
        member: Self = super()._proc_member(archive)  # type: ignore[misc]
        return member


def _checked(members: Iterable[Member], packed: int) -> tuple[Member, ...]:
    """The members with plain names; raises as soon as there is too much."""
    found: dict[str, Member] = {}
    total = 0
    for member in members:
        _check_name(member.name)
        name = _plain(member.name)
        if name in found:
            raise DataError(f"the archive holds '{_shown(name)}' twice; which of the two is meant?")
        total += member.size
        _check_amount(member, len(found) + 1, total, packed)
        found[name] = Member(name, member.size)
    return tuple(found.values())


def _check_amount(member: Member, count: int, total: int, packed: int) -> None:
    if count > MOST_ENTRIES:
        raise DataError(f"the archive holds more than {MOST_ENTRIES:,} files, the most that are taken.")
    if member.size > MOST_FILE_BYTES:
        raise DataError(
            f"'{_shown(member.name)}' has {member.size:,} bytes; at most {MOST_FILE_BYTES:,} are taken in one file."
        )
    if total > MOST_BYTES or (total > HARMLESS_BYTES and total > MOST_RATIO * packed):
        raise DataError(
            f"the archive unpacks to more than {total:,} bytes from {packed:,}; at most {MOST_RATIO} times its size "
            f"and {MOST_BYTES:,} bytes are taken."
        )


def _check_name(name: str) -> None:
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        raise DataError(
            f"the archive holds the name '{_shown(name)}', which leads out of a folder or is not joined by '/'; pack "
            "it again with plain relative names."
        )
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise DataError(f"the archive holds a name that cannot be shown or is too long: '{_shown(name)}'. Rename it.")


def _plain(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _not_plain(name: str) -> str:
    return f"'{_shown(name)}' is a link or a device; an archive of files and folders alone is taken."


def _shown(name: str) -> str:
    return ascii(name[:100])[1:-1] + ("..." if len(name) > 100 else "")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise DataError(f"the archive is broken or of a kind that is not read: {error}. Pack it again.") from error
