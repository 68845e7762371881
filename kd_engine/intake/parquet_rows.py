"""The rows of tables from outside, as they are read in a process of their own (`confined`). No torch.

What a page of a few bytes stands for is known once it is unpacked: values that are kept once, runs, differences.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from kd_engine.catalog.tasks import TASKS
from kd_engine.intake.parquet_file import opened
from kd_engine.intake.shard import LABELS, SPLIT, Shard
from kd_engine.intake.split_names import Split, split_of
from kd_engine.schema.errors import DataError

_LONGEST_LABEL = 1000
_MOST_LABELS, _MOST_OF_A_PICTURE = 5_000_000, 1000  # where each may have several: of all rows, and of one
_LABELS_AT_A_TIME = 1024
_PICTURES_AT_A_TIME = 16
_MOST_SHOWN = 20
_SEVERAL = next((row.name for row in TASKS.values() if row.several), "")


def labels(_: bytes, *, shards: list[dict[str, Any]], most_rows: int, several: bool = False) -> Iterator[bytes]:
    """JSON: first the label's column and the classes' names (or None); then, of some rows each, the number of their
    shard, their labels, and their splits (or None).

    Raises:
        DataError: a table is broken, or has no column of pictures or of labels, or there are too many rows.
    """
    with _told():
        yield from _labels([Shard(**shard) for shard in shards], most_rows, several)


def pictures(_: bytes, *, shards: list[dict[str, Any]]) -> Iterator[bytes]:
    """The files of the pictures, row by row."""
    with _told():
        for shard in shards:
            file = opened(shard["path"])
            for batch in file.batches(_PICTURES_AT_A_TIME, [_picture_column(file.schema)]):
                for value in batch.column(0):
                    yield _bytes_of(value.as_py())


def _labels(shards: list[Shard], most_rows: int, several: bool) -> Iterator[bytes]:
    columns = [_columns(shard, several) for shard in shards]
    for shard, found in zip(shards, columns, strict=True):
        if found != columns[0]:
            raise DataError(
                f"'{shard.name}' has another column of labels than '{shards[0].name}', or names other classes; send "
                "the tables of one data set."
            )
    column, _ = columns[0]
    _check_rows(sum(opened(shard.path).said_rows for shard in shards), most_rows)
    yield json.dumps(columns[0]).encode()
    rows = labels = 0
    for number, shard in enumerate(shards):
        for values, splits in _rows_of(shard, column):
            rows += len(values)
            _check_rows(rows, most_rows)
            labels += sum(len(value) for value in values if isinstance(value, list))
            if labels > _MOST_LABELS:
                raise DataError(f"the table has more than {_MOST_LABELS:,} labels, the most that are taken.")
            yield json.dumps([number, values, splits]).encode()
    if not rows:
        raise DataError("the table has 0 rows; expected a row for each picture.")


def _columns(shard: Shard, several: bool) -> tuple[str, list[str] | None]:
    schema = opened(shard.path).schema
    picture = _picture_column(schema)
    if shard.label is not None:
        return "label", None
    column = _label_column(schema, picture, several)
    return column, _published_names(schema, column)


def _rows_of(shard: Shard, column: str) -> Iterator[tuple[list[Any], list[Split] | None]]:
    """Labels and splits, of some rows at a time."""
    file = opened(shard.path)
    columns = ([] if shard.label is not None else [column]) + ([SPLIT] if SPLIT in file.schema.names else [])
    for batch in file.batches(_LABELS_AT_A_TIME, columns or [_picture_column(file.schema)]):
        found = (
            [shard.label] * batch.num_rows
            if shard.label is not None
            else [_checked(value, column) for value in batch.column(column).to_pylist()]
        )
        splits = [_split_of(value) for value in batch.column(SPLIT).to_pylist()] if SPLIT in columns else None
        if shard.split is not None:
            other = next((split for split in splits or () if split != shard.split), None)
            if other is not None:
                raise DataError(f"'{shard.name}' is called {shard.split}, and its column '{SPLIT}' says {other}.")
            splits = [shard.split] * batch.num_rows
        yield found, splits


def _check_rows(rows: int, most: int) -> None:
    if rows > most:
        raise DataError(f"the table has {rows:,} rows; at most {most:,} are taken of a file of its size.")


def _checked(value: Any, column: str) -> Any:
    if isinstance(value, list):
        if len(value) > _MOST_OF_A_PICTURE:
            raise DataError(
                f"the column '{column}' holds a list of {len(value):,} labels; at most {_MOST_OF_A_PICTURE:,} are "
                "taken of a picture."
            )
        return [_checked(one, column) for one in value]
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


def _label_column(schema: pa.Schema, picture: str, several: bool) -> str:
    usable = [
        field.name for field in schema
        if field.name not in (picture, SPLIT) and _is_label(field.type, several)
    ]  # fmt: skip
    named = [name for name in LABELS if name in usable]
    if named:
        return named[0]
    if len(usable) != 1:
        lists = [field.name for field in schema if not several and _is_label(field.type, several=True)]
        hint = (
            f" '{lists[0]}' holds lists: where a picture may have several classes, say so with task={_SEVERAL}."
            if lists and not usable else ""
        )  # fmt: skip
        what = "integers or texts, or lists of them" if several else "integers or texts"
        raise DataError(
            f"the table has the columns {_shown(schema.names)}; expected one called 'label', of {what}.{hint}"
        )
    return str(usable[0])


def _is_label(kind: pa.DataType, several: bool) -> bool:
    if several and (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return _is_label(kind.value_type, several=False)
    return bool(pa.types.is_integer(kind)) or _is_text(kind)


def _is_text(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))


def _published_names(schema: pa.Schema, column: str) -> list[str] | None:
    """The names of the classes as the Hugging Face hub writes them beside the schema."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        feature = about["info"]["features"][column]
        feature = feature[0] if isinstance(feature, list) else feature.get("feature", feature)  # of lists
        names = feature["names"]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError):
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
        raise DataError(f"the table cannot be read: {said}.") from error
