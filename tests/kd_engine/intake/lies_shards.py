"""Archives of tables that are not what they say, for `test_bounded_readers`."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from tests.kd_engine.intake.archives import picture
from tests.kd_engine.intake.lies_archives import MIB, zip_of


def _arrow(packed: str | None = None, **columns: Any) -> bytes:
    """A stream, as `datasets.save_to_disk` writes it."""
    file = io.BytesIO()
    table = pa.table(columns)
    with pa.ipc.new_stream(file, table.schema, options=pa.ipc.IpcWriteOptions(compression=packed)) as writer:
        writer.write_table(table)
    return file.getvalue()


def _zip(**files: bytes) -> bytes:
    return zip_of(
        *((name, _deflated(file), len(file), zlib.crc32(file)) for name, file in files.items())
    )  # fmt: skip


def _deflated(content: bytes) -> bytes:
    return zlib.compress(content, 9, -zlib.MAX_WBITS)


def _once(value: Any, times: int, kind: pa.DataType) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), pa.array([value], kind))


def _places_outside() -> bytes:
    """Offsets of the pictures that lead out of the file."""
    pictures = [picture(number) for number in range(4)]
    content = _arrow(image=pa.array(pictures, pa.binary()), label=[0, 1, 0, 1])
    offsets = np.cumsum([0, *map(len, pictures)]).astype("<i4").tobytes()
    assert content.count(offsets) == 1
    return content.replace(offsets, np.array([0, 2**30, 2**30 + 1, 2**30 + 2, 2**31 - 1], "<i4").tobytes())


def _large() -> bytes:
    places = np.arange(13, dtype=np.int32) * 48 * MIB
    zeros = pa.Array.from_buffers(pa.binary(), 12, [None, pa.py_buffer(places), pa.py_buffer(bytes(places[-1]))])
    return _arrow("zstd", image=zeros, label=np.arange(12) % 2)


LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "tables in an archive": {
        "pictures of half a gigabyte, packed again": (lambda: _zip(**{"train.arrow": _large()}), "takes more than 5"),
        "pictures that lie elsewhere": (lambda: _zip(**{"train.arrow": _places_outside()}), "table cannot be read"),
        "a text of many rows, kept once": (
            lambda: _zip(**{"a.arrow": _arrow(
                "zstd", image=pa.nulls(20_000, pa.binary()), label=_once("x" * MIB, 20_000, pa.string())
            )}),
            "takes more than 5",
        ),
        "rows of nothing": (
            lambda: _zip(**{"a.arrow": _arrow("zstd", image=pa.nulls(900_000, pa.binary()),
                                              label=np.zeros(900_000, np.int8))}),
            "at most 200,000 are taken",
        ),
        "a message that is not there": (lambda: _zip(**{"a.arrow": b"\xff\xff\xff\xff\xf0\xff\xff\x7f" + bytes(99)}),
                                        "cannot be read"),
        "lists in lists": (lambda: _zip(**{"a.arrow": b"ARROW1", "state.json": b"[" * 900_000}), "cannot be read"),
    },
}  # fmt: skip
