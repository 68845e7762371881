"""Archives in archives that are not what they say, and labels beside pictures, for `test_bounded_readers`."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from tests.kd_engine.intake.archives import picture
from tests.kd_engine.intake.lies_archives import MIB, zeros, zip_of

_CRC_OF_ZEROS = zlib.crc32(bytes(MIB))


def _zip(**files: bytes) -> bytes:
    return zip_of(*(
        (name, zlib.compress(file, 9, -zlib.MAX_WBITS), len(file), zlib.crc32(file)) for name, file in files.items()
    ))  # fmt: skip


def _full(members: int, mebibytes: int) -> bytes:
    """A zip of so many members that are as large as they say."""
    return zip_of(*((f"{number}.txt", zeros(mebibytes), mebibytes * MIB, 0) for number in range(members)))


def _sample(**label: bytes) -> bytes:
    return _zip(**{f"{number}.png": picture(number) for number in range(2)}, **label)


def _labelled(content: bytes) -> bytes:
    return _sample(**{"0.json": b'{"cls": 0}', "1.json": content})


LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "archives in an archive": {
        "far more in one than was sent": (lambda: _zip(**{"a.zip": _full(10, 40)}), "in 'a.zip': the archive unpacks"),
        "far more in all than was sent": (
            lambda: _zip(**{f"{name}.zip": _full(3, 40) for name in "abc"}), "unpacks to more than",
        ),
        "one in the other in the other": (
            lambda: _zip(**{"a.zip": _zip(**{"b.zip": _zip(**{"c.zip": b""})})}), "holds no pictures",
        ),
        "another kind of file": (lambda: _zip(**{"a.tar": b"\0" * MIB}), "'a.tar' in the archive is of a kind"),
        "a label of megabytes": (lambda: _sample(**{"0.cls": bytes(8 * MIB), "1.cls": b"1"}), "no more than 1,000"),
        "an object of megabytes": (lambda: _labelled(b'{"cls": 1, "x": "' + b"x" * 8 * MIB + b'"}'), "no more than"),
        "lists in lists": (lambda: _labelled(b'{"cls": ' + b"[" * 900_000), "holds no label"),
        "objects in lists": (lambda: _labelled(b'{"x": [' + b"{}," * 300_000 + b"{}]}"), "holds no label"),
    },
}  # fmt: skip
