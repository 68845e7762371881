"""Zip archives from outside, an entry at a time. The standard library's reader holds the whole directory, and unpacks a
member in one piece whatever comes out of it; this one holds one entry and a piece.

The format: APPNOTE.TXT 6.3.10 of PKWARE.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from kd_engine.platform.heartbeat import sign

_END, _END_64, _ENTRY, _LOCAL = b"PK\x05\x06", b"PK\x06\x06", b"PK\x01\x02", b"PK\x03\x04"
_LOCATOR = b"PK\x06\x07"
_LONGEST_COMMENT = 0xFFFF
_IN_EXTRA = 0xFFFFFFFF  # a size or place that stands among the extra fields
_ZIP64 = 1
_STORED, _DEFLATED = 0, 8
_UTF8 = 0x800
_PIECE_BYTES = 2**20
_HEAD_BYTES = 2**10
_UNICODE_PATH = 0x7075


class BadZip(ValueError):
    """The archive is broken, or of a kind that is not read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the directory says of a member.

    Attributes:
        packed, size: bytes, in the archive and unpacked.
        begins: where its own header lies.
        mode: of Unix; 0 where it was packed elsewhere.
        guessed: nothing says in which encoding the name is, and it is not UTF-8.
    """

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc32: int
    packed: int
    size: int
    begins: int
    mode: int
    guessed: bool = False

    @property
    def is_folder(self) -> bool:
        return self.name.endswith(("/", "\\"))

    @property
    def is_encrypted(self) -> bool:
        return bool(self.flags & 0x41)


def entries(file: BinaryIO, encoding: str | None = None) -> Iterator[Entry]:
    """All of the directory, in its order; the file is not read at other places meanwhile.

    Args:
        encoding: of the names of which the archive says none.

    Raises:
        BadZip: it is broken.
    """
    begins, size, shift = _directory(file)
    file.seek(begins)
    while size > 0:
        head = _exactly(file, 46)
        if not head.startswith(_ENTRY):
            raise BadZip("its directory holds something that is no entry")
        (
            flags, method, crc32, packed, unpacked, name_length, extra_length, comment_length, mode, place,
        ) = struct.unpack("<8xHH4xIIIHHH6xHI", head[:46])  # fmt: skip
        raw_name, extra = _exactly(file, name_length), _exactly(file, extra_length)
        _exactly(file, comment_length)
        size -= 46 + name_length + extra_length + comment_length
        unpacked, packed, place = _of_64_bits(extra, unpacked, packed, place)
        name, guessed = _name(raw_name, flags, extra, encoding)
        yield Entry(name, raw_name, flags, method, crc32, packed, unpacked, place + shift, mode, guessed)
    if size < 0:
        raise BadZip("its directory is longer than it says")


def pieces(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The member's content in pieces of at most 1 MiB, as many bytes as the directory says or an error.

    Raises:
        BadZip: more or less comes out than was said, or something else than was packed.
    """
    _seek_content(file, entry)
    unpacked = _stored(file, entry) if entry.method == _STORED else _inflated(file, entry)
    left, crc32 = entry.size, 0
    for piece in unpacked:
        sign("unpacking")
        left -= len(piece)
        if left < 0:
            break
        crc32 = zlib.crc32(piece, crc32)
        yield piece
    if left:
        raise BadZip(f"{entry.name[:100]!r} says that it has {entry.size:,} bytes, and has {_more_or_less(left)}")
    if crc32 != entry.crc32:
        raise BadZip(f"the content of {entry.name[:100]!r} was changed: its checksum is another")


def _more_or_less(left: int) -> str:
    return "more" if left < 0 else f"{left:,} fewer"


def _directory(file: BinaryIO) -> tuple[int, int, int]:
    """Where the directory begins, its bytes, and by how much all places are off where something was put before."""
    end = file.seek(0, 2)
    tail_begins = max(0, end - 22 - _LONGEST_COMMENT)
    file.seek(tail_begins)
    tail = _exactly(file, end - tail_begins)
    found = tail.rfind(_END)
    if found < 0 or len(tail) - found < 22:
        raise BadZip("it has no directory; it may have been cut off")
    size, place = struct.unpack_from("<II", tail, found + 12)
    ends = tail_begins + found
    locator = ends - 20
    if locator >= 56:
        file.seek(locator - 56)
        record = _exactly(file, 76)
        if record.startswith(_END_64) and record[56:60] == _LOCATOR:
            size, place = struct.unpack_from("<QQ", record, 40)
            ends = locator - 56
    begins = ends - size
    if begins < 0 or place > begins:
        raise BadZip("its directory does not lie where it says")
    return begins, size, begins - place


def _of_64_bits(extra: bytes, unpacked: int, packed: int, place: int) -> tuple[int, int, int]:
    """The sizes and the place, from the extra fields where they need more than 32 bits."""
    values = [unpacked, packed, place]
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind != _ZIP64:
            continue
        for number, value in enumerate(values):
            if value == _IN_EXTRA:
                if len(field) < 8:
                    raise BadZip("an entry lacks a size of 64 bits")
                values[number], field = int.from_bytes(field[:8], "little"), field[8:]
        break
    return values[0], values[1], values[2]


def _name(raw: bytes, flags: int, extra: bytes, encoding: str | None) -> tuple[str, bool]:
    """The name, and whether its encoding was guessed. Many tools write UTF-8 and do not say so."""
    said = _unicode_name(raw, extra)
    if encoding is not None and said is None and not flags & _UTF8:
        try:
            return raw.decode(encoding), False
        except UnicodeDecodeError:
            raise BadZip(f"the name {raw[:100]!r} is not in {encoding}") from None
    try:
        return (raw if said is None else said).decode("utf-8"), False
    except UnicodeDecodeError:
        if flags & _UTF8 or said is not None:
            raise BadZip(f"the name {raw[:100]!r} is not of the encoding that it says") from None
        return raw.decode("cp437"), True


def _unicode_name(raw: bytes, extra: bytes) -> bytes | None:
    """The name as Info-ZIP writes it beside one of another encoding."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(field) > 5 and struct.unpack_from("<I", field, 1)[0] == zlib.crc32(raw):
            return field[5:]
    return None


def head(file: BinaryIO, entry: Entry, most: int) -> bytes:
    """The first bytes of a member; none where it cannot be read, which whoever reads all of it says."""
    try:
        _seek_content(file, entry)
        packed = file.read(min(entry.packed, max(_HEAD_BYTES, most)))
        return (
            packed[:most] if entry.method == _STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
        )
    except (BadZip, zlib.error):
        return b""


def _seek_content(file: BinaryIO, entry: Entry) -> None:
    if entry.is_encrypted or entry.method not in (_STORED, _DEFLATED):
        how = "encrypted" if entry.is_encrypted else f"packed by method {entry.method}"
        raise BadZip(f"{entry.name[:100]!r} is {how}; expected deflate, the usual one, or none")
    file.seek(entry.begins)
    head = _exactly(file, 30)
    name_length, extra_length = struct.unpack_from("<HH", head, 26)
    if not head.startswith(_LOCAL) or _exactly(file, name_length) != entry.raw_name:
        raise BadZip(f"{entry.name[:100]!r} does not lie where the directory says")
    _exactly(file, extra_length)


def _stored(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    left = entry.packed
    while left > 0:
        piece = _exactly(file, min(left, _PIECE_BYTES))
        left -= len(piece)
        yield piece


def _inflated(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    inflate, left = zlib.decompressobj(-zlib.MAX_WBITS), entry.packed
    most = min(entry.size + 1, _PIECE_BYTES)  # a byte more would be too much
    while not inflate.eof:
        packed = inflate.unconsumed_tail
        if not packed and left:
            packed = _exactly(file, min(left, _PIECE_BYTES))
            left -= len(packed)
        try:
            piece = inflate.decompress(packed, most)
        except zlib.error as error:
            raise BadZip(f"{entry.name[:100]!r} cannot be unpacked: {error}") from error
        if not piece and not packed and not inflate.eof:
            raise BadZip(f"{entry.name[:100]!r} breaks off")
        if piece:
            yield piece


def _exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise BadZip("it breaks off")
    return content
