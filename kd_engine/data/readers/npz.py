"""The arrays of an .npz file: nothing is unpickled, and no more memory is taken than bytes come out of it.

`numpy.load` believes an array's header, and reads a header of any length.
"""

from __future__ import annotations

import io
import math
from collections.abc import Collection
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kd_engine.platform.zip_file import BadZip, Entry, entries, pieces

_SUFFIX = ".npy"
_MOST_ARRAYS = 1000
_LONGEST_HEADER = 10_000  # bytes, as numpy.load's own
_KINDS = "biufcSU"  # numbers and texts

_Array = NDArray[Any]


def read_npz(path: Path, most_bytes: int, only: Collection[str] | None = None) -> dict[str, _Array]:
    """All arrays, or those of these names that are there.

    Args:
        most_bytes: of all of them together.

    Raises:
        ValueError: the file is broken, holds more, or something else than numbers and texts; the message says what.
    """
    arrays: dict[str, _Array] = {}
    with path.open("rb") as file:
        found = list(islice(entries(file), _MOST_ARRAYS + 1))
        if len(found) > _MOST_ARRAYS:
            raise ValueError(f"it holds more than {_MOST_ARRAYS:,} arrays")
        wanted = [entry for entry in found if only is None or entry.name.removesuffix(_SUFFIX) in only]
        total = sum(entry.size for entry in wanted)
        if total > most_bytes:
            raise ValueError(f"it holds {total:,} bytes; at most {most_bytes:,} are taken of a file of its size")
        for entry in wanted:
            name = entry.name.removesuffix(_SUFFIX)
            if name in arrays:
                raise ValueError(f"it holds '{name}' twice")
            arrays[name] = _array(file, entry)
    return arrays


def _array(file: BinaryIO, entry: Entry) -> _Array:
    content = pieces(file, entry)
    first = next(content, b"")
    shape, fortran, dtype, start = _header(first, entry.name)
    size = math.prod(shape) * dtype.itemsize
    if start + size != entry.size:
        raise BadZip(f"'{entry.name}' says it holds {size:,} bytes, and has {entry.size - start:,}")
    memory = np.empty(size, np.uint8)  # untouched, and so not there, until it is filled
    place = 0
    for piece in chain([first[start:]], content):
        memory[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
    return memory.view(dtype).reshape(shape, order="F" if fortran else "C")


def _header(first: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether the first axis runs fastest, type, and where the numbers begin."""
    version = np.lib.format.read_magic(io.BytesIO(first))
    place = 10 if version[0] == 1 else 12
    start = place + int.from_bytes(first[8:place], "little")
    if start > min(_LONGEST_HEADER, len(first)):
        raise BadZip(f"'{name}' has a header of {start:,} bytes; no array needs that much")
    read = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(io.BytesIO(first[8:start]))
    except Exception as error:  # a broken header may raise anything, also that Python's parser has too little memory
        raise BadZip(f"'{name}' has a broken header ({type(error).__name__})") from None
    if dtype.hasobject:
        raise BadZip(f"'{name}' holds Python objects, which are never unpickled; save numbers or texts")
    if dtype.kind not in _KINDS or not dtype.itemsize or any(side < 0 for side in shape):
        raise BadZip(f"'{name}' is of type {str(dtype)[:100]} and shape {shape}; expected numbers or texts")
    return shape, fortran, dtype, start
