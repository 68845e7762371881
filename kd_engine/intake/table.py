"""A parquet table with a picture and its label in each row, as data hubs publish them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kd_engine.errors import DataError
from kd_engine.intake.archive import HARMLESS_BYTES, MOST_ENTRIES, MOST_FILE_BYTES, MOST_RATIO, Member
from kd_engine.intake.layout import Layout, Placed, test_mask

_LABELS = ("label", "labels", "class", "target", "fine_label")
_SPLIT = "split"
_SPLITS = {"train": "train", "training": "train", "test": "test", "val": "test", "valid": "test", "validation": "test"}
_AT_A_TIME = 64  # rows


class PictureTable:
    """A table whose columns were looked at.

    Raises:
        DataError: it is broken, or has no column of pictures or of labels.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
            self._schema: pa.Schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise _broken(error) from error
        self._picture = _picture_column(self._schema)
        self._label = _label_column(self._schema, self._picture)
        rows = self._file.metadata.num_rows
        if not 0 < rows <= MOST_ENTRIES:
            raise DataError(f"the table has {rows:,} rows; expected 1 to {MOST_ENTRIES:,}.")

    def layout(self, test_share: float) -> Layout:
        """Where each row's picture goes: by its label, and by the column `split` where there is one.

        Raises:
            DataError: labels are missing, are no classes, or there is only one.
        """
        columns = self._read([self._label, *([_SPLIT] if _SPLIT in self._schema.names else [])])
        classes, labels = self._classes(columns[self._label])
        names = [f"row {number}" for number in range(len(labels))]
        if _SPLIT in columns:
            splits, notes = [_split_of(value) for value in columns[_SPLIT]], []
            if set(splits) != {"train", "test"}:
                raise DataError(
                    "the column 'split' has rows of one split alone; expected train, and test or validation."
                )
        else:
            tested = test_mask([f"{number:012}" for number in range(len(labels))], labels, test_share)
            splits = ["test" if test else "train" for test in tested]
            notes = [f"the table has no column 'split': {test_share:.0%} of each class are test"]
        # no file has a name here: its suffix says that it is a picture, and the content says of which kind
        members = [Member(f"{name}.png", 0) for name in names]
        placed = tuple(Placed(*row) for row in zip(members, splits, labels, strict=True))
        return Layout(classes, placed, tuple(notes))

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """The pictures of these rows, in the table's order.

        Raises:
            DataError: the table is broken there, or holds far more than its size allows.
        """
        members, total, packed = iter(wanted), 0, self._path.stat().st_size
        try:
            for batch in self._file.iter_batches(_AT_A_TIME, columns=[self._picture]):
                for value in batch.column(0):
                    content = _bytes_of(value.as_py())
                    total += len(content)
                    if len(content) > MOST_FILE_BYTES or (total > HARMLESS_BYTES and total > MOST_RATIO * packed):
                        raise DataError(f"the pictures unpack to more than {total:,} bytes from {packed:,}.")
                    yield next(members), content
        except (pa.ArrowException, OSError) as error:
            raise _broken(error) from error

    def _read(self, columns: list[str]) -> dict[str, list[Any]]:
        try:
            table = self._file.read(columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise _broken(error) from error
        return {name: table.column(name).to_pylist() for name in columns}

    def _classes(self, values: list[Any]) -> tuple[tuple[str, ...], list[int]]:
        missing = sum(value is None for value in values)
        if missing:
            raise DataError(
                f"{missing:,} of {len(values):,} rows have no '{self._label}'; fill them, or leave them out."
            )
        found = sorted(set(values))
        if len(found) < 2:
            raise DataError(f"the column '{self._label}' holds one class, {found[0]!r}; expected at least two.")
        names = _published_names(self._schema, self._label)
        if names is not None and all(isinstance(value, int) and 0 <= value < len(names) for value in found):
            if len(found) < len(names):
                absent = next(name for number, name in enumerate(names) if number not in set(found))
                raise DataError(f"the table names {len(names)} classes, and has no row of '{absent}'.")
            return tuple(names), values
        index = {value: label for label, value in enumerate(found)}
        return tuple(map(str, found)), [index[value] for value in values]


def _picture_column(schema: pa.Schema) -> str:
    found = [field.name for field in schema if _holds_pictures(field.type)]
    if len(found) != 1:
        raise DataError(
            f"the table has {len(found)} columns of pictures ({', '.join(found) or 'none'}) among "
            f"{', '.join(schema.names)}; expected one, of bytes or of {{bytes, path}}."
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
            f"the table has the columns {', '.join(schema.names)}; expected one called 'label', of integers or texts."
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
    except (KeyError, TypeError, ValueError):
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _split_of(value: Any) -> str:
    split = _SPLITS.get(str(value).lower())
    if split is None:
        raise DataError(f"the column 'split' holds {value!r}; expected train, test or validation.")
    return split


def _bytes_of(value: Any) -> bytes:
    """Of a picture that is missing: none, which no decoder takes, so that its row is named among the broken."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""


def _broken(error: Exception) -> DataError:
    return DataError(f"the parquet file cannot be read: {str(error).partition(chr(10))[0]}.")
