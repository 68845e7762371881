"""What a file is by its first bytes: a picture, or something else. No Pillow: nothing is decoded."""

from __future__ import annotations

import struct

HEAD = 64  # bytes that are enough to tell
MOST_LOST = 0.1  # of the files of a class: with more that are no pictures, something is wrong with them

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_PNM = b"123456"


def is_picture(head: bytes) -> bool:
    """Whether a file begins as a picture does, be it one that can be decoded here or not."""
    if head.startswith(_MAGIC) or head.startswith(_JPEG_2000):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return True
    if head[:2] == b"BM" and len(head) >= 18:
        return struct.unpack_from("<I", head, 14)[0] in _BMP_HEADERS
    return head[:1] == b"P" and head[1:2] in [_PNM[n : n + 1] for n in range(6)] and head[2:3].isspace()


def is_text(head: bytes) -> bool:
    """Whether a file begins as text: a list, a note, labels; nothing that somebody may have taken for a picture."""
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    return all(byte >= 32 or byte in b"\t\r\n\f\x1b\0" for byte in head)
