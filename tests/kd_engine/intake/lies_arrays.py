"""Arrays that are not what they say, for `test_bounded_readers`. Each has some kilobytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kd_engine.intake.lies_archives import MIB, zeros, zip_of


def _header(descr: object, shape: object) -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def _npz(**arrays: tuple[bytes, int]) -> bytes:
    """A file of arrays (a header, and so many bytes of zeros that follow it)."""
    members = []
    for name, (header, size) in arrays.items():
        crc32 = _crc32_of_zeros(size, zlib.crc32(header))
        packed = _deflated(header) + zeros(size // MIB, bytes(size % MIB))
        members.append((f"{name}.npy", packed, len(header) + size, crc32))
    return zip_of(*members)


def _deflated(content: bytes) -> bytes:
    """The beginning of what goes on."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush(zlib.Z_FULL_FLUSH)


def _crc32_of_zeros(size: int, begun: int) -> int:
    part = bytes(MIB)
    for _ in range(size // MIB):
        begun = zlib.crc32(part, begun)
    return zlib.crc32(bytes(size % MIB), begun)


def _one(descr: object, shape: object, size: int) -> bytes:
    return _npz(images=(_header(descr, shape), size), labels=(_header("|u1", (4,)), 4))


def _said(entry_size: int, there: int = 1) -> bytes:
    """Header and directory agree on a size; so many MiB are there."""
    header = _header("|u1", (entry_size,))
    return zip_of(("images.npy", _deflated(header) + zeros(there), len(header) + entry_size, 0))


def _objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, images=np.array([{}, None], object), labels=np.arange(2))
    return file.getvalue()


def _named(count: int) -> bytes:
    images: dict[str, Any] = {"images": (_header("|u1", (4, 2, 2)), 16), "labels": (_header("|u1", (4,)), 4)}
    return _npz(**images, classes=(_header("|S1", (count,)), count))


_LONG_HEADER = b"\x93NUMPY\2\0" + struct.pack("<I", 512 * MIB)

LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "npz": {
        "a shape that is not there": (
            lambda: _one("|u1", (2**40,), 64), "says it holds 1,099,511,627,776 bytes, and has 64",
        ),
        "a shape that the directory says too": (lambda: _said(2**32 - 1000), "at most 67,108,864 are taken"),
        "fewer than both say": (lambda: _said(60 * MIB), "fewer"),
        "zeros in a small file": (lambda: _said(1024 * MIB, there=1024), "are taken of a file of its size"),
        "a header of gigabytes": (
            lambda: zip_of(("images.npy", _deflated(_LONG_HEADER) + zeros(60), 60 * MIB, 0)),
            "no array needs that much",
        ),
        "texts without letters": (lambda: _one("<U0", (2**40,), 0), "expected numbers or texts"),
        "records": (lambda: _one([("a", "<i4", (2**20,))], (1,), 4 * MIB), "expected numbers or texts"),
        "a huge shape of nothing": (lambda: _one("|u1", (2**40, 0, 3, 3), 0), "at most 200,000 images are taken"),
        "a header of signs": (
            lambda: _npz(images=(b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"-" * 8999 + b"1", 0)),
            "has a broken header",
        ),
        "objects": (_objects, "holds Python objects"),
        "a name for each of many": (lambda: _named(24 * MIB), "at most 100,000 are taken"),
        "images of a pixel": (
            lambda: _npz(
                images=(_header("|u1", (1_900_000, 1, 1)), 1_900_000), labels=(_header("|u1", (1_900_000,)), 1_900_000),
            ),
            "at most 200,000 images are taken",
        ),
        "far more labels than images": (
            lambda: _npz(
                x_train=(_header("|u1", (4, 2, 2)), 16), y_train=(_header("|u1", (190_000,)), 190_000),
                x_test=(_header("|u1", (4, 2, 2)), 16), y_test=(_header("|u1", (4,)), 4),
            ),
            "expected as many of each",
        ),
    },
}  # fmt: skip
