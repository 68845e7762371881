"""Lists beside pictures that are not what they say, for `test_bounded_readers`."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from tests.kd_engine.intake.archives import picture
from tests.kd_engine.intake.lies_archives import MIB, zeros, zip_of


def _beside(name: str, content: bytes) -> bytes:
    """A zip of two pictures and a list."""
    return zip_of(_packed("1.png", picture(1)), _packed("2.png", picture(2)), _packed(name, content))


def _packed(name: str, content: bytes) -> tuple[str, bytes, int, int]:
    return name, zlib.compress(content, wbits=-zlib.MAX_WBITS), len(content), zlib.crc32(content)


def _csv(line: bytes, mebibytes: int) -> bytes:
    return b"id,label\n1.png,a\n2.png,b\n" + line * (mebibytes * MIB // len(line))


def _distinct(count: int) -> bytes:
    return b"id,label\n" + b"".join(b"%x,%x\n" % (number, number) for number in range(count))


def _wide(columns: int, rows: int) -> bytes:
    return b",".join(b"%d" % number for number in range(columns)) + (b"\n1" + b",0" * (columns - 1)) * rows


LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "list": {
        "more than is read": (
            lambda: zip_of(("a.csv", zeros(65), 65 * MIB, 0), _packed("1.png", picture())),
            "at most 67,108,864 are read",
        ),
        "rows without end": (lambda: _beside("a.csv", _csv(b"1.png,a\n", 2)), "has more than 200,000 rows"),
        "a row without end": (lambda: _beside("a.csv", _csv(b",", 40)), "takes more than"),
        "a value without end": (lambda: _beside("a.csv", _csv(b'"', 0) + b'"' + b"x" * (20 * MIB)), "field limit"),
        "columns without end": (lambda: _beside("a.csv", _wide(9_000, 1)), "has 9,000 columns"),
        "many columns and rows": (lambda: _beside("a.csv", _wide(2_000, 5_001)), "has more than 10,000,000 values"),
        "rows that all differ": (lambda: _beside("a.csv", _distinct(90_000)), "different labels in 90,000 rows"),
        "arrays in arrays": (lambda: _beside("a.json", b"[" * 200_000), "cannot be read: maximum recursion depth"),
        "empty arrays": (lambda: _beside("a.json", b"[" + b"[]," * (7 * MIB) + b"[]]"), "takes more than"),
        "a key in each row": (
            lambda: _beside("a.jsonl", b"".join(b'{"%d":1}\n' % n for n in range(100_000))), "columns; at most 2,000",
        ),
        "a number without end": (lambda: _beside("a.json", b'{"1.png":' + b"1" * 5000 + b"}"), "cannot be read"),
    },
}  # fmt: skip
