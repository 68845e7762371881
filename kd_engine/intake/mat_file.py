"""Arrays of numbers in a MATLAB file of version 5, the one that SVHN is published in. scipy's reader takes memory for
whatever sizes the file says, and unpacks a variable whole; this one takes no more than comes out.

The format: MathWorks, "MAT-File Format", 1-5 to 1-20.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = 128
_LITTLE, _BIG = b"IM", b"MI"  # as the last two bytes of the header say it
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_OF_NUMBERS = range(6, 16)  # classes of arrays; below are cells, structures, objects, texts and sparse ones
_COMPLEX = 0x800
_MOST_DIMENSIONS, _LONGEST_NAME = 8, 64
_Array = NDArray[Any]


class BadMat(ValueError):
    """The file is broken, or of a kind that is not read."""


def read_mat(content: bytes, wanted: tuple[str, ...], most: int) -> dict[str, _Array]:
    """The wanted variables that are there; others are passed over.

    Args:
        most: bytes that may come out of the file.

    Raises:
        BadMat: it is broken, of another version, or a wanted variable is no array of numbers.
    """
    if content.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise BadMat("it is of version 7.3 (HDF5); in MATLAB: save('NAME.mat', 'X', 'y', '-v7')")
    mark = content[_HEADER - 2 : _HEADER]
    if mark not in (_LITTLE, _BIG):
        raise BadMat("it is no MATLAB file of version 5")
    order = "<" if mark == _LITTLE else ">"
    found: dict[str, _Array] = {}
    for kind, data in _elements(memoryview(content)[_HEADER:], order):
        if kind == _COMPRESSED:
            unpacked = _unpacked(data, order, most)
            most -= len(unpacked)
            kind, data = next(_elements(memoryview(unpacked), order), (0, data))
        if kind == _MATRIX:
            name, array = _variable(data, order, wanted)
            if array is not None:
                found[name] = array
    return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """The kind and content of each; a small one holds its size in the upper half of its kind."""
    place = 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        if kind >> 16:
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise BadMat("it holds a small element that is large")
            yield kind, data[place + 4 : place + 4 + size]
            place += 8
            continue
        if size > len(data) - place - 8:
            raise BadMat(f"it says that it holds {size:,} bytes, and has {len(data) - place - 8:,}")
        yield kind, data[place + 8 : place + 8 + size]
        place += 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)


def _unpacked(packed: memoryview, order: str, most: int) -> bytes:
    try:
        head = zlib.decompressobj().decompress(packed, 8)
        if len(head) < 8:
            raise BadMat("it breaks off")
        size = 8 + struct.unpack(f"{order}II", head)[1]
        if size > most:
            raise BadMat(f"it says that it holds {size:,} bytes; at most {most:,} are taken of its size")
        return zlib.decompressobj().decompress(packed, size)
    except zlib.error as error:
        raise BadMat(f"it cannot be unpacked ({error})") from error


def _variable(data: memoryview, order: str, wanted: tuple[str, ...]) -> tuple[str, _Array | None]:
    parts = _elements(data, order)
    flags, shape, name = (next(parts, (0, data[:0]))[1] for _ in range(3))
    if len(flags) != 8 or len(shape) % 4 or not 8 <= len(shape) <= 4 * _MOST_DIMENSIONS or len(name) > _LONGEST_NAME:
        raise BadMat("it holds a variable without its name or sizes")
    called = bytes(name).decode("latin-1")
    if called not in wanted:
        return called, None
    (flag,) = struct.unpack_from(f"{order}I", flags)
    sides = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    kind, numbers = next(parts, (0, data[:0]))
    if flag & 0xFF not in _OF_NUMBERS or flag & _COMPLEX or kind not in _NUMBERS or min(sides) < 0:
        raise BadMat(f"its '{called}' is no array of numbers")
    dtype = np.dtype(order + _NUMBERS[kind])
    if math.prod(sides) * dtype.itemsize != len(numbers):
        raise BadMat(f"its '{called}' says that it is {' x '.join(map(str, sides))}, and has {len(numbers):,} bytes")
    return called, np.frombuffer(numbers, dtype).reshape(sides, order="F")
