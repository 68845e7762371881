"""A file of a table, parquet or Arrow, a few rows at a time. For a process of its own: these libraries decide what a
file costs (docs/decisions/027)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

_ARROW_FILE, _PARQUET = b"ARROW1", b"PAR1"


class TableFile(Protocol):
    """
    Attributes:
        said_rows: what the file says of itself; 0 where it says nothing.
    """

    schema: pa.Schema
    said_rows: int

    def batches(self, rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """So many rows at a time, with these columns."""


def opened(path: str) -> TableFile:
    """By its content; raises what pyarrow does where it is neither."""
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve more than they use
    pa.set_cpu_count(1)
    with open(path, "rb") as file:
        magic = file.read(len(_ARROW_FILE))
    return _Parquet(path) if magic.startswith(_PARQUET) else _Arrow(path, is_stream=magic != _ARROW_FILE)


class _Parquet:
    def __init__(self, path: str) -> None:
        self._file = pq.ParquetFile(path, memory_map=True)
        self.schema, self.said_rows = self._file.schema_arrow, self._file.metadata.num_rows

    def batches(self, rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        yield from self._file.iter_batches(rows, columns=columns, use_threads=False)


class _Arrow:
    """As `datasets.save_to_disk` writes it (a stream), or with a directory at its end (a file)."""

    def __init__(self, path: str, *, is_stream: bool) -> None:
        source = pa.memory_map(path)
        self._reader = pa.ipc.open_stream(source) if is_stream else pa.ipc.open_file(source)
        self._is_stream = is_stream
        self.schema, self.said_rows = self._reader.schema, 0

    def batches(self, rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in self._stored():
            batch.validate(full=True)  # places and lengths come from the file
            chosen = batch.select(columns)
            for start in range(0, batch.num_rows, rows):
                yield chosen.slice(start, rows)

    def _stored(self) -> Iterator[pa.RecordBatch]:
        if self._is_stream:
            yield from self._reader
        else:
            for number in range(self._reader.num_record_batches):
                yield self._reader.get_batch(number)
