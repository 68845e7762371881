"""Pictures that are not what they say, for `test_bounded_readers`. Each has some kilobytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.kd_engine.intake.archives import picture
from tests.kd_engine.intake.lies_archives import MIB, zeros, zip_of


def _png(width: int, height: int, packed: bytes, *, depth: int = 8, kind: int = 0, before: bytes = b"") -> bytes:
    about = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", about) + before + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _bits(width: int, height: int) -> bytes:
    """Black and white, a bit a pixel: decoded, a byte a pixel, and then four."""
    return _png(width, height, _zlib(height * ((width + 7) // 8 + 1)), depth=1)


def _zlib(size: int) -> bytes:
    """So many zeros."""
    checksum = size % 65521 << 16 | 1
    return b"\x78\x9c" + zeros(size // MIB, bytes(size % MIB)) + struct.pack(">I", checksum)


def _text(kind: bytes) -> bytes:
    return _png(8, 8, zlib.compress(bytes(72)), before=_chunk(kind, b"x\0\0" + _zlib(512 * MIB)))


def _said(form: str, place: int, size: bytes) -> bytes:
    """A small picture whose header says another size."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form)
    content = bytearray(file.getvalue())
    content[place : place + len(size)] = size
    return bytes(content)


def _webp(side: int) -> bytes:
    """In 34 bytes."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "WEBP", lossless=True)
    content = bytearray(file.getvalue())
    content[21:25] = (side - 1 | (side - 1) << 14).to_bytes(4, "little")
    return bytes(content)


def _plain(form: str, side: int, **options: int) -> bytes:
    """A large square of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, form, **options)
    return file.getvalue()


def _jpeg() -> bytes:
    content = picture(form="JPEG")
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :]


def _progressive() -> bytes:
    file = io.BytesIO()
    Image.new("CMYK", (64, 64)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    place = content.index(b"\xff\xc2") + 5
    return content[:place] + struct.pack(">HH", 9_000, 9_000) + content[place + 4 :]


def _tiles() -> bytes:
    """A TIFF of 8 x 8 pixels in a tile of 65,520 x 65,520."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "TIFF", compression="tiff_adobe_deflate")
    content = file.getvalue()
    directory = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, directory)[0]
    entries = [content[directory + 2 + 12 * number :][:12] for number in range(count)]
    renamed = {273: 324, 278: 322, 279: 325}  # strips become tiles
    tags = {renamed.get(tag := struct.unpack_from("<H", entry)[0], tag): entry[2:] for entry in entries}
    tags[322] = tags[323] = struct.pack("<HII", 4, 1, 65_520)
    written = b"".join(struct.pack("<H", tag) + tags[tag] for tag in sorted(tags))
    return (
        content[:4] + struct.pack("<I", len(content)) + content[8:] + struct.pack("<H", len(tags)) + written + bytes(4)
    )


def _frames() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("L", (8, 8), 2 * number) for number in range(100)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    content = file.getvalue()
    begins = content.index(b"\x21\xf9", content.index(b"\x2c"))
    return content[:begins] + content[begins:-1] * 50 + content[-1:]


def _among_others(content: bytes) -> bytes:
    """The third of the pictures in a zip."""
    files = {"a/1.png": picture(1), "b/1.png": picture(2), "b/2.png": content}
    return zip_of(*((name, file, len(file), zlib.crc32(file)) for name, file in files.items()), method=0)


_REFUSED = "b/2.png ("

_PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a PNG that says it is huge": (lambda: _png(2**31 - 1, 2**31 - 1, b""), _REFUSED),
    "a PNG of zeros": (lambda: _bits(13_000, 13_000), "at most 100,000,000 are taken of PNG"),
    "a large PNG": (lambda: _bits(5_000, 5_000), "None"),
    "a PNG of one column": (lambda: _bits(1, 2**20), "at most 65,535 are taken a side"),
    "a PNG of one row": (lambda: _bits(2**20, 1), "at most 65,535 are taken a side"),
    "a PNG with a text of zeros": (lambda: _text(b"zTXt"), _REFUSED),
    "a PNG with a profile of zeros": (lambda: _text(b"iCCP"), _REFUSED),
    "a WebP of one colour": (lambda: _webp(16_383), _REFUSED),
    "a smaller WebP": (lambda: _webp(9_000), "at most 50,000,000 are taken of WEBP"),
    "a JPEG that says it is huge": (_jpeg, _REFUSED),
    "a progressive JPEG that says it is large": (_progressive, "at most 50,000,000 are taken of JPEG"),
    "a GIF that says it is huge": (lambda: _said("GIF", 6, b"\xff" * 4), _REFUSED),
    "a BMP that says it is huge": (lambda: _said("BMP", 18, struct.pack("<ii", 2**30, 2**30)), _REFUSED),
    "a TIFF of one large tile": (_tiles, "tiles that are far larger"),
    "a GIF of many frames": (_frames, "None"),
    "a large AVIF": (lambda: _plain("AVIF", 4_900, speed=10), "None"),
    "a larger AVIF": (lambda: _plain("AVIF", 5_100, speed=10), "at most 25,000,000 are taken of AVIF"),
    "a large JPEG 2000": (lambda: _plain("JPEG2000", 3_500), "None"),
    "a larger JPEG 2000": (lambda: _plain("JPEG2000", 3_600), "at most 12,500,000 are taken of JPEG2000"),
    "a TGA that says it is huge": (lambda: _said("TGA", 12, b"\xff" * 4), _REFUSED),
    "a PNG of 16 bits": (lambda: _png(5_000, 5_000, _zlib(5_000 * 10_001), depth=16), "None"),
    "a larger PNG of 16 bits": (lambda: _png(7_100, 7_100, b"", depth=16), "at most 50,000,000 are taken of PNG"),
    "a PNG that shows through": (lambda: _png(5_000, 5_000, _zlib(5_000 * 20_001), kind=6), "None"),
}

LIES = {
    "picture": {lie: (lambda make=make: _among_others(make()), message) for lie, (make, message) in _PICTURES.items()}
}
