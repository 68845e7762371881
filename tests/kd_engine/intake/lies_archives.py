"""Archives that are not what they say, for `test_bounded_readers`. Each has some kilobytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable
from itertools import count

from tests.kd_engine.intake.archives import picture

MIB = 2**20


def zeros(mebibytes: int, rest: bytes = b"") -> bytes:
    """So many, and the rest, deflated: 1 MiB, packed so that it may be repeated."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    part = deflate.compress(bytes(MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return part * mebibytes + deflate.compress(rest) + deflate.flush()


def zip_of(*members: tuple[str, bytes, int, int], method: int = 8, entries: int = 1) -> bytes:
    """An archive of members (name, packed bytes, the size that each says it has, its checksum).

    Args:
        entries: how often the directory names each.
    """
    content, directory, number = b"", bytearray(), count()
    for name, packed, size, crc32 in members:
        place, raw = len(content), name.encode()
        content += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, method, 0, 0, crc32, len(packed), size, len(raw), 0)
        content += raw + packed
        for _ in range(entries):
            shown = raw if entries == 1 else f"{next(number)}.png".encode()
            directory += struct.pack(
                "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, method, 0, 0, crc32, len(packed), size, len(shown), 0, 0, 0, 0, 0,
                place,
            ) + shown  # fmt: skip
    total = len(members) * entries % 2**16
    return content + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, total, total, len(directory), len(content), 0)


def _tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info)
            file.write(content + bytes(-len(content) % 512))
    return file.getvalue()


def _info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def _gzipped(head: bytes, mebibytes: int) -> bytes:
    """A gzip file of `head` and then zeros."""
    begins = gzip.compress(head)
    return begins + b"\x1f\x8b\x08\0\0\0\0\0\0\3" + zeros(mebibytes) + bytes(8)


def _pax(**records: str) -> bytes:
    lines = b""
    for key, value in records.items():
        rest = f" {key.replace('_', '.')}={value}\n".encode()
        length = next(size for size in count(len(rest)) if len(str(size)) + len(rest) == size)
        lines += str(length).encode() + rest
    return lines


def _sparse_map() -> bytes:
    """An old sparse file whose map goes on and on."""
    info = bytearray(_info("a/1.png", 512, tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    info[482] = 1  # the map goes on in the next block
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info)
    block = (b"%011o\0" % 7) * 42 + b"\1" + bytes(7)
    return bytes(info) + block * 20_000


def _pax_tar(**records: str) -> bytes:
    """An empty file, and what pax says of it."""
    header = _pax(**records)
    return _tar((_info("x", len(header), tarfile.XHDTYPE), header), (_info("a/1.png"), b""))


def _no_directory() -> bytes:
    return b"PK\3\4" + bytes(100) + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 2**32 - 1, 0, 0)


def _passed_over() -> bytes:
    """32 MiB of zeros that are no picture."""
    return bz2.compress(_info("a.txt", 32 * MIB).tobuf()) + bz2.compress(bytes(2 * MIB)) * 16


def _greedy_xz() -> bytes:
    """Says that its reader needs a dictionary of 3 GiB."""
    packed = bytearray(lzma.compress(_tar((_info("a/1.png"), b""))))
    assert packed[14] == 0x21, "the filter of the first block is LZMA2"
    packed[16] = 39
    head = packed[12 : 12 + 4 * (packed[12] + 1)]
    packed[12 + len(head) - 4 : 12 + len(head)] = struct.pack("<I", zlib.crc32(head[:-4]))
    return bytes(packed)


def _plain(name: str) -> tuple[str, bytes, int, int]:
    content = picture()
    return name, zlib.compress(content, wbits=-zlib.MAX_WBITS), len(content), zlib.crc32(content)


def _lying(packed: bytes, size: int, crc32: int = 0, method: int = 8) -> bytes:
    """A zip of three pictures, one of them of these packed bytes."""
    return zip_of(_plain("a/1.png"), _plain("b/1.png"), ("b/2.png", packed, size, crc32), method=method)


_SPARSE = "is a link or a device"

LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "sniff": {
        "a directory of many": (lambda: zip_of(("1.npy", b"", 0, 0), entries=20_000), "None"),
    },
    "zip": {
        "a file is far larger than it says": (
            lambda: _lying(zeros(1024), 100, zlib.crc32(bytes(100))), "says that it has 100 bytes, and has more",
        ),
        "a file is smaller than it says": (lambda: _lying(zeros(1), 200 * MIB), "fewer"),
        "a file says that it is huge": (lambda: _lying(zeros(1), 2**32 - 2), "at most 268,435,456"),
        "files that lie in one place": (lambda: zip_of(("a", zeros(8), 8 * MIB, 0), entries=1000), "overlap"),
        "another way of packing": (lambda: _lying(bz2.compress(bytes(MIB)), MIB, method=12), "packed by method 12"),
        "a directory that is not there": (_no_directory, "does not lie where"),
    },
    "tar": {
        "a file says that it is huge": (lambda: _gzipped(_info("a/1.png", 2**33).tobuf(), 1024), "at most 268,435,456"),
        "headers before headers": (
            lambda: gzip.compress((_info("x", MIB, tarfile.XHDTYPE).tobuf() + _pax(comment="x" * (MIB - 17))) * 20),
            "more than 8 headers",
        ),
        "a long name": (
            lambda: _gzipped(_info("x", 2**32, tarfile.GNUTYPE_LONGNAME).tobuf(), 1024), "no name is that long",
        ),
        "an endless map of a sparse file": (lambda: gzip.compress(_sparse_map()), _SPARSE),
        "a sparse file of pax": (lambda: _pax_tar(GNU_sparse_major="1"), _SPARSE),
        "a pax header that gives a size": (
            lambda: _pax_tar(size="9" * 19), "9,999,999,999,999,999,999 bytes; at most",
        ),
        "many folders": (lambda: gzip.compress(_info("a", 0, tarfile.DIRTYPE).tobuf() * 20_000), "holds no pictures"),
        "zeros to pass over in bzip2": (_passed_over, "holds no pictures"),
        "a dictionary of gigabytes": (_greedy_xz, "cannot be unpacked"),
    },
}  # fmt: skip
