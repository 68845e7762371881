"""Zip and tar archives from outside. All names and sizes are checked before the first byte of content is used.

No absolute name, no `..`, no link, no device, nothing encrypted, no name twice; so many entries and bytes and no more.
What an archive says of itself is not believed: bytes are counted as they come out (docs/decisions/027).
"""

from __future__ import annotations

import gzip
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from kd_engine.images import file_kinds
from kd_engine.images.decode import SUFFIXES
from kd_engine.intake import tar_file
from kd_engine.platform import zip_file
from kd_engine.platform.file_names import has_controls, one_spelling
from kd_engine.platform.files import atomic_file
from kd_engine.platform.heartbeat import sign
from kd_engine.schema.errors import DataError

MOST_ENTRIES = 2_000_000  # folders too; ImageNet has 1.4 million pictures
MOST_NAME_BYTES = 256 * 2**20  # of all names, which are kept
MOST_BYTES = 1 << 40  # unpacked
MOST_FILE_BYTES = 256 * 2**20  # of one file that is read whole
TABLES = (".parquet", ".arrow")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
_UNPACKED = (*TABLES, *ARCHIVES)  # these are not: they are unpacked to a disk and read there
# Pictures hardly shrink; text shrinks ten times. Above this, and beyond a size that could not hurt, it is a bomb.
MOST_RATIO = 100
HARMLESS_BYTES = 256 * 2**20
_HARMLESS_ENTRIES = 200_000
_KEPT_BYTES = 500  # of each picture, whatever it holds: what it is called, where it goes, what it looks like
_LONGEST_NAME = 1000
_BROKEN = (zip_file.BadZip, tar_file.BadTar, gzip.BadGzipFile, zlib.error, EOFError)


@dataclass(frozen=True, slots=True)
class Member:
    """A plain file of an archive.

    Attributes:
        name: parts joined by `/`.
        size: bytes, unpacked.
        is_picture: by its content; where its name says so, that is believed until it is decoded.
        is_text: by its first bytes.
    """

    name: str
    size: int
    is_picture: bool = False
    is_text: bool = False

    @classmethod
    def of(cls, name: str, size: int, head: Callable[[], bytes]) -> Member:
        """What `head` begins with tells what it is, where its name does not."""
        if name.lower().endswith(SUFFIXES):
            return cls(name, size, is_picture=True)
        begins = head()
        return cls(name, size, file_kinds.is_picture(begins), file_kinds.is_text(begins))


def most_entries(packed: int) -> int:
    """How many pictures a file of so many bytes may hold: what is kept of each counts as if it had been unpacked."""
    return min(MOST_ENTRIES, max(_HARMLESS_ENTRIES, MOST_RATIO * packed // _KEPT_BYTES))


class Packed(Protocol):
    """What files come in.

    Attributes:
        guessed: a name of which nothing says the encoding.
        used: names of what was read for more than its first bytes.
    """

    members: tuple[Member, ...]
    guessed: bytes | None
    used: set[str]

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """The wanted members and their bytes, in an order of its own.

        Raises:
            DataError: it is broken at one of them.
        """

    def unpack(self, wanted: Mapping[Member, Path]) -> None:
        """Writes each of the wanted members to its path; they may be larger than memory.

        Raises:
            DataError: it is broken at one of them.
            DiskFullError: no room.
        """


class Archive:
    """An archive whose members were all looked at.

    Args:
        sent: bytes that were sent, where the archive came in another one: they bound what comes out of it.
        encoding: of names of which the archive says none.

    Raises:
        DataError: it is broken, or holds what is not taken.
    """

    def __init__(self, path: Path, *, is_tar: bool, sent: int | None = None, encoding: str | None = None) -> None:
        self._path, self._is_tar, self._encoding = path, is_tar, encoding
        size = path.stat().st_size
        self._sent = size if sent is None else min(size, sent)
        self.guessed: bytes | None = None
        self.used: set[str] = set()
        with _told():
            self.members = _checked(self._tar_members() if is_tar else self._zip_members(), self._sent)

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """As `Packed`; in the archive's order (a packed tar can be read in no other)."""
        with _told():
            for member, pieces in self._pieces(wanted):
                yield member, b"".join(pieces)

    def unpack(self, wanted: Mapping[Member, Path]) -> None:
        """As `Packed`."""
        with _told():
            for member, pieces in self._pieces(wanted):
                with atomic_file(wanted[member]) as file:
                    for piece in pieces:
                        file.write(piece)

    def _pieces(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, Iterator[bytes]]]:
        by_name = {member.name: member for member in wanted}
        self.used.update(by_name)
        return self._tar_contents(by_name) if self._is_tar else self._zip_contents(by_name)

    def _zip_members(self) -> Iterator[Member | None]:
        left = self._path.stat().st_size
        with self._path.open("rb") as file, self._path.open("rb") as contents:
            for entry in zip_file.entries(file, self._encoding):
                _check_name(entry.name)
                if entry.guessed and self.guessed is None:
                    self.guessed = entry.raw_name
                if entry.is_folder:
                    yield None
                    continue
                if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
                    raise DataError(_not_plain(entry.name))
                if entry.is_encrypted:
                    raise DataError(f"'{_shown(entry.name)}' is encrypted; pack the archive without a password.")
                left -= entry.packed
                if left < 0:
                    raise DataError(
                        "the archive's members overlap: together they are larger than it is. Pack it again."
                    )
                yield Member.of(entry.name, entry.size, partial(zip_file.head, contents, entry, file_kinds.HEAD))

    def _zip_contents(self, by_name: dict[str, Member]) -> Iterator[tuple[Member, Iterator[bytes]]]:
        with self._path.open("rb") as directory, self._path.open("rb") as file:
            for entry in zip_file.entries(directory, self._encoding):
                member = None if entry.is_folder else by_name.get(_plain(entry.name))
                if member is not None:
                    yield member, zip_file.pieces(file, entry)

    def _tar(self) -> tar_file.Tar:
        came = 0

        def heard(count: int) -> None:
            nonlocal came
            sign("unpacking")
            came += count
            check_total(came, self._sent)

        return tar_file.Tar(self._path, heard, self._encoding)

    def _tar_members(self) -> Iterator[Member | None]:
        with self._tar() as tar:
            for entry in tar:
                _check_name(entry.name)
                if not entry.is_folder and not entry.is_plain:
                    raise DataError(_not_plain(entry.name))
                head = partial(tar.head, entry, file_kinds.HEAD)
                yield None if entry.is_folder else Member.of(entry.name, entry.size, head)

    def _tar_contents(self, by_name: dict[str, Member]) -> Iterator[tuple[Member, Iterator[bytes]]]:
        with self._tar() as tar:
            for entry in tar:
                member = by_name.get(_plain(entry.name)) if entry.is_plain else None
                if member is not None:
                    yield member, tar.pieces(entry)


def _checked(members: Iterable[Member | None], packed: int) -> tuple[Member, ...]:
    """The members with plain names (None: a folder); raises as soon as there is too much."""
    found: dict[str, Member] = {}
    total = names = 0
    for count, member in enumerate(members, start=1):
        sign("listing the archive")
        check_count(count, packed)
        if member is None:
            continue
        name = _plain(member.name)
        if name in found:
            raise DataError(f"the archive holds '{_shown(name)}' twice; which of the two is meant?")
        names += len(name)
        if names > MOST_NAME_BYTES:
            raise DataError(f"the names in the archive take more than {MOST_NAME_BYTES:,} bytes; shorten them.")
        if member.size > MOST_FILE_BYTES and not member.name.lower().endswith(_UNPACKED):
            raise DataError(
                f"'{_shown(member.name)}' has {member.size:,} bytes; at most {MOST_FILE_BYTES:,} are taken in one file."
            )
        total += member.size
        check_total(total, packed)
        found[name] = replace(member, name=name)
    return tuple(found.values())


def check_count(count: int, packed: int) -> None:
    """Raises DataError where there are more files and folders than are taken of so many packed bytes."""
    most = most_entries(packed)
    if count > most:
        raise DataError(f"the archive holds more than {most:,} files, the most that are taken of {packed:,} bytes.")


def check_total(total: int, packed: int) -> None:
    """Raises DataError where more came out of so many packed bytes than is taken."""
    if total > MOST_BYTES or (total > HARMLESS_BYTES and total > MOST_RATIO * packed):
        raise DataError(
            f"the archive unpacks to more than {total:,} bytes from {packed:,}; at most {MOST_RATIO} times its size "
            f"and {MOST_BYTES:,} bytes are taken."
        )


def _check_name(name: str) -> None:
    joined = name.replace("\\", "/")  # as Windows does
    parts = joined.rstrip("/").split("/")
    if joined.startswith("/") or ".." in parts or ":" in parts[0]:
        raise DataError(
            f"the archive holds the name '{_shown(name)}', which leads out of a folder; pack it again with plain "
            "relative names."
        )
    if has_controls(name) or len(name) > _LONGEST_NAME:
        raise DataError(
            f"the archive holds a name with control characters or of more than {_LONGEST_NAME:,} characters: "
            f"'{_shown(name)}'. Rename it."
        )


def _plain(name: str) -> str:
    return one_spelling("/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", ".")))


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
