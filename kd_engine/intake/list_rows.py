"""The rows of a csv, tsv, json or jsonl file from outside, as they are read in a process of their own (`confined`). No
torch.

A value is a text (numbers as they are written), a list of texts where several were given, or None where nothing was.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from kd_engine.schema.errors import DataError

Value = str | list[str] | None
_Row = dict[str, Value]

PICTURES = (
    ".avif", ".bmp", ".dcm", ".gif", ".heic", ".jfif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tga", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
"""As names of pictures end, whether they are decoded here or not."""
MOST_CELLS, MOST_COLUMNS = 10_000_000, 2_000
_SEPARATORS = ",;\t|"
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_CHOICES, _TAKEN = "choices", (str, int, float)


def columns(content: bytes, *, name: str, most_rows: int) -> Iterator[bytes]:
    """JSON: first the notes; then each column, as its name and its values.

    Raises:
        DataError: the file cannot be read, or has too much of something; the message names it.
    """
    try:
        table, notes = _table(content, name, most_rows)
    except (csv.Error, RecursionError, ValueError) as error:  # ValueError is JSON's own, and ours
        raise DataError(f"'{name}' cannot be read: {str(error)[:300]}.") from error
    yield json.dumps(notes).encode()
    for column in list(table):
        yield json.dumps([column, table.pop(column)]).encode()


def _table(content: bytes, name: str, most_rows: int) -> tuple[dict[str, list[Value]], list[str]]:
    text, notes = _text(content, name), list[str]()
    suffix = PurePosixPath(name.lower()).suffix
    if suffix == ".json":
        rows: Iterable[_Row] = _of_json(json.loads(text, object_pairs_hook=_object))
    elif suffix == ".jsonl":
        lines = (line for line in text.splitlines() if line.strip())
        rows = (_flat(json.loads(line, object_pairs_hook=_object)) for line in lines)
    else:
        rows = _of_csv(text, name, "\t" if suffix == ".tsv" else None, notes)
    return _columns(rows, name, most_rows), notes


def _text(content: bytes, name: str) -> str:
    code = next((code for mark, code in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(code)
    except UnicodeDecodeError as error:
        raise DataError(f"'{name}' is not in UTF-8 (byte {error.start:,}); save it as UTF-8.") from error


def _columns(rows: Iterable[_Row], name: str, most_rows: int) -> dict[str, list[Value]]:
    """By column; equal texts are held once."""
    table: dict[str, list[Value]] = {}
    kept: dict[str, str] = {}
    count = cells = 0
    for count, row in enumerate(rows, start=1):
        if count > most_rows:
            raise DataError(f"'{name}' has more than {most_rows:,} rows, the most that are taken of such a file.")
        for column in [column for column in row if column not in table]:
            table[column] = [None] * (count - 1)
        if len(table) > MOST_COLUMNS:
            raise DataError(f"'{name}' has {len(table):,} columns; at most {MOST_COLUMNS:,} are taken.")
        for column, values in table.items():
            value = row.get(column)
            values.append(kept.setdefault(value, value) if isinstance(value, str) else value)
        cells += len(table)
        if cells > MOST_CELLS:
            raise DataError(f"'{name}' has more than {MOST_CELLS:,} values; leave out the columns that are not needed.")
    if not count:
        raise DataError(f"'{name}' has no rows.")
    return table


def _of_csv(text: str, name: str, separator: str | None, notes: list[str]) -> Iterator[_Row]:
    head = text[: text.find("\n")] if "\n" in text else text
    separator = separator or max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    first = [value.strip() for value in next(reader, [])]
    rows: Iterator[list[str]] = reader
    if any(value.lower().endswith(PICTURES) for value in first):
        notes.append(f"'{name}' begins without names of columns: they are called 'column 1', 'column 2' and so on")
        rows, first = chain([first], reader), [""] * len(first)
    names = [value or f"column {number}" for number, value in enumerate(first, start=1)]
    twice = _first_twice(names)
    if twice is not None:
        raise DataError(f"'{name}' has two columns called '{twice[:100]}'; give each a name of its own.")
    for row in rows:
        if not any(map(str.strip, row)):
            continue
        if len(row) != len(names):
            raise DataError(
                f"line {reader.line_num:,} of '{name}' has {len(row):,} values, and the first line {len(names):,}: put "
                f"values that hold a {separator!r} in double quotes."
            )
        yield {column: value.strip() or None for column, value in zip(names, row, strict=True)}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = _first_twice(key for key, _ in pairs)
        raise ValueError(f"it holds '{str(twice)[:100]}' twice in one object; which of the two is meant?")
    return found


def _first_twice(names: Iterable[str]) -> str | None:
    seen = set[str]()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]


def _of_json(content: Any) -> Iterator[_Row]:
    """An array of objects or of pairs, an object of names and labels or of an array, or COCO's arrays."""
    if isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys():
        yield from _of_coco(content)
        return
    if isinstance(content, dict):
        if content and all(isinstance(value, _TAKEN) for value in content.values()):
            yield from ({"file": key, "label": _value(value)} for key, value in content.items())
            return
        content = next((value for value in content.values() if isinstance(value, list)), None)
    if not isinstance(content, list):
        raise ValueError("expected an array of objects, or an object of names and labels")
    for entry in content:
        if isinstance(entry, list) and len(entry) == 2:
            yield {"file": _value(entry[0]), "label": _value(entry[1])}
        elif isinstance(entry, dict) and isinstance(entry.get("data"), dict):
            yield from _of_label_studio(entry)
        else:
            yield _flat(entry)


def _of_coco(content: dict[str, Any]) -> Iterator[_Row]:
    files = {image["id"]: image["file_name"] for image in _objects(content, "images", "id", "file_name")}
    names = {entry["id"]: entry["name"] for entry in _objects(content, "categories", "id", "name")}
    bare = dict.fromkeys(files)
    for entry in _objects(content, "annotations", "image_id", "category_id"):
        bare.pop(entry["image_id"], None)
        if entry["image_id"] not in files or entry["category_id"] not in names:
            raise ValueError(f"an annotation of image {str(entry['image_id'])[:50]} is of what is not listed")
        yield {"file": _value(files[entry["image_id"]]), "label": _value(names[entry["category_id"]])}
    yield from ({"file": _value(files[image]), "label": None} for image in bare)


def _objects(content: dict[str, Any], key: str, *needed: str) -> list[dict[str, Any]]:
    found = content[key]
    if not isinstance(found, list) or not all(
        isinstance(entry, dict) and all(isinstance(entry.get(one), _TAKEN) for one in needed) for entry in found
    ):
        raise ValueError(f"'{key}' is no array of objects with {' and '.join(needed)}")
    return found


def _of_label_studio(task: dict[str, Any]) -> Iterator[_Row]:
    """A row for each annotation of a task."""
    data = _flat(task["data"])
    given = [entry for key in ("annotations", "completions") for entry in _items(task.get(key))]
    annotations = [entry for entry in given if not entry.get("was_cancelled")]
    for annotation in annotations:
        row = dict(data)
        for result in _items(annotation.get("result")):
            value = result.get("value")
            if isinstance(value, dict) and isinstance(value.get(_CHOICES), list):
                row[str(result.get("from_name", "choice"))] = _value(value)
        yield row
    if not annotations:
        yield data


def _items(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _flat(entry: Any) -> _Row:
    """What an object says outright; what it nests is left out."""
    if not isinstance(entry, dict):
        raise ValueError("expected objects alone, one for each picture")
    return {str(key): _value(value) for key, value in entry.items()}


def _value(value: Any) -> Value:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer()
        return str(int(value)) if whole else repr(value) if math.isfinite(value) else None
    if isinstance(value, _TAKEN):
        return str(value).strip() or None
    if isinstance(value, dict):  # Label Studio's, of several choices
        return _value(value.get(_CHOICES))
    if isinstance(value, list) and value and all(isinstance(one, _TAKEN) for one in value):
        texts = [str(one).strip() for one in value]
        return texts[0] if len(texts) == 1 else texts
    return None
