"""The rows of a parquet table from outside, as they are read in a process of their own (`confined`). No torch.

What a page of a few bytes stands for is known once it is unpacked: values that are kept once, runs, differences.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kd_engine.errors import DataError
from kd_engine.intake.purpose import Split, split_of

_LABELS = ("label", "labels", "class", "target", "fine_label")
_SPLIT = "split"
_LONGEST_LABEL = 1000
_LABELS_AT_A_TIME = 1024
_PICTURES_AT_A_TIME = 16
_MOST_SHOWN = 20


def labels(_: bytes, *, path: str, most_rows: int) -> Iterator[bytes]:
    """JSON: first the label's column and the classes' names (or None); then labels and splits (or None) of some rows
    each.

    Raises:
        DataError: the table is broken, or has no column of pictures or of labels, or too many rows.
    """
    with _told():
        yield from _labels(_opened(path), most_rows)


def pictures(_: bytes, *, path: str) -> Iterator[bytes]:
    """The files of the pictures, row by row."""
    with _told():
        file = _opened(path)
        for batch in _batches(file, _PICTURES_AT_A_TIME, [_picture_column(file.schema_arrow)]):
            for value in batch.column(0):
                yield _bytes_of(value.as_py())


def _labels(file: pq.ParquetFile, most_rows: int) -> Iterator[bytes]:
    schema = file.schema_arrow
    column = _label_column(schema, _picture_column(schema))
    _check_rows(file.metadata.num_rows, most_rows)
    yield json.dumps([column, _published_names(schema, column)]).encode()
    columns = [column, *([_SPLIT] if _SPLIT in schema.names else [])]
    rows = 0
    for batch in _batches(file, _LABELS_AT_A_TIME, columns):
        rows += batch.num_rows
        _check_rows(rows, most_rows)
        found = [_checked(value, column) for value in batch.column(column).to_pylist()]
        splits = [_split_of(value) for value in batch.column(_SPLIT).to_pylist()] if _SPLIT in columns else None
        yield json.dumps([found, splits]).encode()


def _opened(path: str) -> pq.ParquetFile:
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve more than they use
    pa.set_cpu_count(1)
    return pq.ParquetFile(path, memory_map=True)


def _batches(file: pq.ParquetFile, rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    batches: Iterator[pa.RecordBatch] = file.iter_batches(rows, columns=columns, use_threads=False)
    return batches


def _check_rows(rows: int, most: int) -> None:
    if not 0 < rows <= most:
        raise DataError(f"the table has {rows:,} rows; expected 1 to {most:,}.")


def _checked(value: Any, column: str) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_LABEL:
        raise DataError(f"the column '{column}' holds a text of {len(value):,} letters; expected names of classes.")
    return value


def _picture_column(schema: pa.Schema) -> str:
    found = [field.name for field in schema if _holds_pictures(field.type)]
    if len(found) != 1:
        raise DataError(
            f"the table has {len(found)} columns of pictures ({_shown(found) or 'none'}) among "
            f"{_shown(schema.names)}; expected one, of bytes or of {{bytes, path}}."
        )
    return str(found[0])


def _holds_pictures(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_pictures(kind.field(index).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _label_column(schema: pa.Schema, picture: str) -> str:
    usable = [
        field.name for field in schema
        if field.name not in (picture, _SPLIT) and (pa.types.is_integer(field.type) or _is_text(field.type))
    ]  # fmt: skip
    named = [name for name in _LABELS if name in usable]
    if named:
        return named[0]
    if len(usable) != 1:
        raise DataError(
            f"the table has the columns {_shown(schema.names)}; expected one called 'label', of integers or texts."
        )
    return str(usable[0])


def _is_text(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))


def _published_names(schema: pa.Schema, column: str) -> list[str] | None:
    """The names of the classes as the Hugging Face hub writes them beside the schema."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        names = about["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _split_of(value: Any) -> Split:
    split = split_of(str(value))
    if split is None:
        raise DataError(
            f"the column 'split' holds {str(value)[:_LONGEST_LABEL]!r}; expected train, test or validation."
        )
    return split


def _bytes_of(value: Any) -> bytes:
    """Of a picture that is missing: none, which no decoder takes, so that its row is named among the broken."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (DataError, MemoryError, BrokenPipeError):
        raise
    except (
        Exception
    ) as error:  # pyarrow's own, and what Python says of texts that are none and names that are there twice
        said = str(error).partition("\n")[0][:500]
        raise DataError(f"the parquet file cannot be read: {said}.") from error
