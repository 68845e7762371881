"""Tar archives from outside, read from the beginning to the end, an entry at a time. The standard library's reader
keeps every entry, and reads headers and maps of sparse files of any length; this one reads plain files and folders.

The formats: POSIX.1-2017 (ustar, pax), and GNU's long names; packed with gzip, bzip2 or xz.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, cast

_BLOCK = tarfile.BLOCKSIZE
_LONGEST_HEADER = 2**20  # names, and what pax says of an entry: owners, times, attributes
_MOST_HEADERS = 8  # before an entry
_XZ_MEMORY = 2**27  # twice what `xz -9` asks of its reader
_PIECE_BYTES = 2**20
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG = (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class BadTar(ValueError):
    """The archive is broken, or of a kind that is not read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    Attributes:
        is_plain: neither a folder, nor a link, a device or a sparse file.
    """

    name: str
    size: int
    is_plain: bool
    is_folder: bool


class Tar:
    """A tar archive, to be gone through once.

    Args:
        heard: is told of all bytes that come out of a packed one, passed over or not; what it raises ends the reading.
        encoding: of names that are not in UTF-8.

    Raises:
        BadTar: it is broken; so do its methods. A broken gzip file raises what its library raises.
    """

    def __init__(self, path: Path, heard: Callable[[int], None], encoding: str | None = None) -> None:
        self._encoding = encoding
        self._file = path.open("rb")
        self._stream, self._is_packed = _unpacked(self._file)
        self._size = path.stat().st_size
        self._heard = heard
        self._left = 0  # of the entry at hand, with what fills its last block

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()
        self._file.close()

    def __iter__(self) -> Iterator[Entry]:
        said: dict[str, str] = {}  # by longer headers, of the entry that follows them
        headers = 0
        while (info := self._header()) is not None:
            if info.type in _LONG:
                headers += 1
                if headers > _MOST_HEADERS:
                    raise BadTar(f"an entry has more than {_MOST_HEADERS} headers")
                said |= self._long_header(info)
                continue
            entry = _entry(info, said, self._encoding)
            self._left = _padded(entry.size) if entry.is_plain else 0
            yield entry
            self._skip()
            said, headers = {}, 0

    def read(self, entry: Entry) -> bytes:
        """The content of the entry that was given last."""
        return b"".join(self.pieces(entry))

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """The same, a piece at a time."""
        left = entry.size
        while left:
            piece = self._take(min(left, _PIECE_BYTES))
            left -= len(piece)
            self._left -= len(piece)
            yield piece

    def head(self, entry: Entry, most: int) -> bytes:
        """The first bytes of the entry that was given last; what is read after them lacks these."""
        content = self._take(min(entry.size, most))
        self._left -= len(content)
        return content

    def _header(self) -> tarfile.TarInfo | None:
        block = self._stream.read(_BLOCK)
        self._heard(len(block))
        if not block or not any(block):  # the end, marked or not
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise BadTar(f"it holds a header that is none ({error})") from error

    def _long_header(self, info: tarfile.TarInfo) -> dict[str, str]:
        if not 0 <= info.size <= _LONGEST_HEADER:
            raise BadTar(f"it holds a header of {info.size:,} bytes; no name is that long")
        content = self._take(_padded(info.size))[: info.size]
        if info.type in _PAX:
            return _pax(content)
        if info.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
        if info.type == tarfile.XGLTYPE and not _pax(content).keys().isdisjoint(("path", "size")):
            raise BadTar("it holds a header that names or sizes all entries at once")
        return {}

    def _skip(self) -> None:
        if not self._is_packed:
            if self._file.tell() + self._left > _padded(self._size):
                raise BadTar("it breaks off")
            self._file.seek(self._left, io.SEEK_CUR)
            self._left = 0
        while self._left > 0:
            self._left -= len(self._take(min(self._left, _PIECE_BYTES)))

    def _take(self, count: int) -> bytes:
        content = self._stream.read(count)
        self._heard(len(content))
        if len(content) != count:
            raise BadTar("it breaks off")
        return content


def _entry(info: tarfile.TarInfo, said: dict[str, str], encoding: str | None) -> Entry:
    name, size = _decoded(said.get("path", info.name), encoding), info.size
    if "size" in said:
        if not said["size"].isdecimal():
            raise BadTar(f"a header says that an entry has {said['size'][:20]!r} bytes")
        size = int(said["size"][:20])
    if size < 0:
        raise BadTar(f"a header says that an entry has {size} bytes")
    sparse = info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse.") for key in said)
    return Entry(name, size, info.isreg() and not sparse, info.isdir())


def _decoded(name: str, encoding: str | None) -> str:
    """The name, where bytes of it that are not UTF-8 stand for themselves."""
    if encoding is None or name.isprintable():
        return name
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8", "strict")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise BadTar(f"the name {raw[:100]!r} is not in {encoding}") from None


def _pax(content: bytes) -> dict[str, str]:
    """The records `LENGTH KEY=VALUE\\n` of a header."""
    found, place = {}, 0
    while place < len(content) and content[place]:
        digits, _, _ = content[place : place + 20].partition(b" ")
        record = content[place : place + int(digits)] if digits.isdigit() else b""
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or not record.endswith(b"\n") or len(record) != int(digits):
            raise BadTar("it holds a pax header that is none")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        place += len(record)
    return found


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _unpacked(file: BinaryIO) -> tuple[BinaryIO, bool]:
    """What is in the file, and whether it was packed."""
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=file)), True
    if magic.startswith(b"BZh"):
        return _streamed(file, bz2.BZ2Decompressor), True
    if magic == b"\xfd7zXZ\0":
        return _streamed(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)), True
    return file, False


def _streamed(file: BinaryIO, unpacker: Callable[[], _Unpacker]) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Unpacked(file, unpacker), _PIECE_BYTES))


class _Unpacker(Protocol):
    """`bz2.BZ2Decompressor` and `lzma.LZMADecompressor`."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Unpacked(io.RawIOBase):
    """Streams one after the other. `lzma.LZMAFile` takes no limit of the memory that a file may ask of its reader."""

    def __init__(self, file: BinaryIO, unpacker: Callable[[], _Unpacker]) -> None:
        self._file, self._new = file, unpacker
        self._unpacker = unpacker()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            packed = b""
            if self._unpacker.eof:
                packed = (self._unpacker.unused_data or self._file.read(_PIECE_BYTES)).lstrip(b"\0")  # fills blocks
                if not packed:
                    return 0
                self._unpacker = self._new()
            elif self._unpacker.needs_input:
                packed = self._file.read(_PIECE_BYTES)
                if not packed:
                    raise BadTar("it breaks off")
            try:
                content = self._unpacker.decompress(packed, len(buffer))
            except (OSError, lzma.LZMAError) as error:
                raise BadTar(f"it cannot be unpacked ({error})") from error
            if content:
                buffer[: len(content)] = content
                return len(content)
