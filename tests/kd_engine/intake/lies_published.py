"""Archives of publishers' arrays that are not what they say, for `test_bounded_readers`."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zlib
from collections.abc import Callable

from tests.kd_engine.intake.lies_archives import MIB, zip_of


def _idx(images: bytes) -> bytes:
    """Train images as given, and all other files of two rows."""
    labels = struct.pack(">II", 0x0801, 2) + b"\0\1"
    others = {"train-labels-idx1-ubyte": labels, "t10k-labels-idx1-ubyte": labels, "t10k-images-idx3-ubyte": _header(2)}
    files = {"train-images-idx3-ubyte.gz": images} | others
    return zip_of(*((name, file, len(file), zlib.crc32(file)) for name, file in files.items()), method=0)


def _header(images: int, side: int = 2) -> bytes:
    return struct.pack(">IIII", 0x0803, images, side, side) + bytes(images * side * side if images < 9 else 0)


def _cifar(train: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in (("train", train), ("test", train), ("meta", pickle.dumps({}, 2))):
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


_REPEATED = b"\x80\x02}U\x04dataq\x00(" + b"h\x00" * 1_000_000 + b"ls."  # one text, a million times


def _mat(*elements: bytes) -> bytes:
    """A file of train of these elements, packed again."""
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"".join(elements)
    packed = zlib.compress(content, 9, -zlib.MAX_WBITS)
    return zip_of(("train.mat", packed, len(content), zlib.crc32(content)))


def _packed(content: bytes) -> bytes:
    packed = zlib.compress(content, 9)
    return struct.pack("<II", 15, len(packed)) + packed


def _matrix(size: int, sides: tuple[int, ...], there: int) -> bytes:
    head = struct.pack("<4I", 6, 8, 9, 0) + struct.pack(f"<II{len(sides)}i", 5, 4 * len(sides), *sides)
    head += bytes(-len(head) % 8) + b"\1\0\1\0X\0\0\0" + struct.pack("<II", 2, there)
    return struct.pack("<II", 14, size) + head + bytes(there)


LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "idx": {
        "more images than are there": (lambda: _idx(_header(2**31)), "says that it holds 8,589,934,608 bytes, and has"),
        "zeros in a small file": (
            lambda: _idx(gzip.compress(_header(2**31) + bytes(64 * MIB), 9)), "at most 67,108,864 are taken",
        ),
        "more zeros than it says": (lambda: _idx(gzip.compress(_header(2) + bytes(64 * MIB), 9)), "or more"),
        "another kind of number": (lambda: _idx(b"\0\0\x0d\3" + bytes(12)), "is no idx file of bytes"),
    },
    "svhn": {
        "more than is there": (lambda: _mat(_matrix(2**31, (4, 4, 3, 2**20), 64)), "says that it holds 2,147,483,648"),
        "more than is there, packed": (lambda: _mat(_packed(_matrix(2**31, (4, 4, 3, 2**20), 64))), "are taken of its"),
        "zeros in a small file": (
            lambda: _mat(*[_packed(_matrix(48 * MIB + 56, (4, 4, 3, 2**20), 48 * MIB))] * 3), "are taken of its size",
        ),
        "a shape of more": (lambda: _mat(_matrix(120, (2**30, 2**30, 3, 2), 64)), "and has 64 bytes"),
        "a shape of none": (lambda: _mat(_matrix(120, (-4, -4, 3, 2), 64)), "no array of numbers"),
        "a variable of nothing": (lambda: _mat(struct.pack("<II", 14, 0) * 100_000), "without its name"),
    },
    "cifar": {
        "a text of gigabytes": (lambda: _cifar(b"\x80\x04\x8e" + struct.pack("<Q", 2**40)), "is refused"),
        "a text many times": (lambda: _cifar(_REPEATED), "is no batch of CIFAR's"),
        "lists in lists": (lambda: _cifar(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."), "expected a dict"),
    },
}  # fmt: skip
