"""Parquet tables that are not what they say, for `test_bounded_readers`. Each has some kilobytes."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.kd_engine.intake.archives import picture

MIB = 2**20


def _table(**columns: Any) -> bytes:
    file = io.BytesIO()
    # without Arrow's schema beside it: what is kept once is told to be plain
    pq.write_table(
        pa.table(columns), file, compression="zstd", dictionary_pagesize_limit=2**30, store_schema=False
    )  # fmt: skip
    return file.getvalue()


def _once(value: Any, times: int, kind: pa.DataType) -> pa.Array:
    """The same in all rows, kept once."""
    return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), pa.array([value], kind))


def _rows(count: int) -> bytes:
    return _table(image=pa.nulls(count, pa.binary()), label=pa.array(np.zeros(count, np.int8)))


def _pictures(mebibytes: int, times: int) -> bytes:
    return _table(image=_once(bytes(mebibytes * MIB), times, pa.binary()), label=np.arange(times) % 2)


def _texts(letters: int) -> bytes:
    return _table(image=_once(picture(), 20_000, pa.binary()), label=_once("x" * letters, 20_000, pa.string()))


def _names(letters: int, times: int) -> bytes:
    """Two classes with long names, and no pictures."""
    names = pa.array(["x" * letters + end for end in "ab"])
    label = pa.DictionaryArray.from_arrays(np.arange(times, dtype=np.int32) % 2, names)
    return _table(image=pa.nulls(times, pa.binary()), label=label)


def _lists(rows: int, labels: int) -> bytes:
    """So many labels in each of so many rows."""
    offsets = pa.array(np.arange(0, rows * labels + 1, labels), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, pa.array(np.zeros(rows * labels, np.int8)))
    return _table(image=pa.nulls(rows, pa.binary()), label=lists)


def _no_footer() -> bytes:
    return b"PAR1" + bytes(1000) + struct.pack("<I", 2**31 - 1) + b"PAR1"


LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "parquet": {
        "a footer that is not there": (_no_footer, "the table cannot be read"),
        "rows of nothing": (lambda: _rows(3_000_000), "has 3,000,000 rows; at most 200,000"),
        "fewer rows of nothing": (lambda: _names(999, 1_900_000), "rows; at most 200,000"),
        "one picture many times": (lambda: _pictures(4, 80), "unpack to more than"),
        "a class with a name of a book": (lambda: _texts(2**19), "takes more than 512 MiB of memory"),
    },
    "parquet, of lists": {
        "labels of one picture": (lambda: _lists(1, 200_000), "holds a list of 200,000 labels; at most 1,000"),
        "labels of many pictures": (lambda: _lists(20_000, 1000), "has more than 5,000,000 labels"),
    },
}
