"""The labels that each row of a list gives: one or none; or several, where pictures may have several classes."""

from __future__ import annotations

from collections.abc import Sequence

from kd_engine.intake.label_list import LabelList, shown
from kd_engine.intake.list_columns import are_numbers, as_whole
from kd_engine.intake.list_rows import Value
from kd_engine.platform.file_names import has_controls, one_spelling
from kd_engine.schema.errors import DataError

_LONGEST_CLASS = 200
_MARKS = "|;,"
_ONE_LABEL = "One label a picture is what is read here: leave out the pictures of several, or send a list of one label."


def labels_of(one: LabelList) -> list[str | None]:
    """A label for each row, None where there is none; raises DataError where a row has several, or they are none.

    `several_of` is for pictures that may have several classes.
    """
    first = next(iter(one.targets))
    if one.kind in ("one_hot", "several"):
        rows = _ones(one)
        wrong = [(file, row) for file, row in zip(one.file, rows, strict=True) if len(row) != 1]
        if wrong:
            raise DataError(
                f"'{one.name}' has {len(one.targets)} columns of 0 and 1 ({shown(list(one.targets))}), and in "
                f"{len(wrong):,} of {len(rows):,} rows there is not one 1 but none or several: '{wrong[0][0]}' has "
                f"{shown(wrong[0][1]) or 'none'}. {_ONE_LABEL} If another column holds it, say label_column=NAME."
            )
        return [row[0] for row in rows]
    values = as_whole(one.targets[first])
    several = [(file, value) for file, value in zip(one.file, values, strict=True) if isinstance(value, list)]
    several = several or _joined(one.file, values)
    if several:
        file, labels = several[0]
        raise DataError(
            f"{len(several):,} of {len(values):,} rows of '{one.name}' have several labels in '{first}': '{file}' has "
            f"{shown(labels if isinstance(labels, list) else [])}. {_ONE_LABEL}"
        )
    found = [one_spelling(value) if isinstance(value, str) else None for value in values]
    _check_names(one, first, [label for label in found if label is not None])
    return found


def several_of(one: LabelList) -> tuple[list[tuple[str, ...]], list[str]]:
    """The labels of each row, none of them where it names none; and what is to be said of how they were read."""
    if one.kind in ("one_hot", "several"):
        return [tuple(row) for row in _ones(one)], []
    first = next(iter(one.targets))
    values, notes = as_whole(one.targets[first]), list[str]()
    texts = [value for value in values if isinstance(value, str)]
    mark = next((mark for mark in _MARKS if any(mark in text for text in texts)), None)
    if mark is not None:
        notes.append(f"the labels in '{first}' of '{one.name}' are divided by '{mark}'")
    rows = [_divided(value, mark) for value in values]
    labels = [label for row in rows for label in row]
    if max(map(len, rows), default=0) < 2:
        notes.append(
            f"no row of '{one.name}' has several labels in '{first}'; where it has, divide them by one of "
            f"{' '.join(_MARKS)}"
        )
    _check_names(one, first, labels)
    return rows, notes


def _divided(value: Value, mark: str | None) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else [] if value is None else value.split(mark) if mark else [value]
    return tuple(dict.fromkeys(one_spelling(part.strip()) for part in parts if part.strip()))


def _ones(one: LabelList) -> list[list[str]]:
    """The columns that hold 1 in each row."""
    return [
        [column for column, value in zip(one.targets, row, strict=True) if as_whole([value]) == ["1"]]
        for row in zip(*one.targets.values(), strict=True)
    ]


def _joined(files: Sequence[str | None], values: Sequence[object]) -> list[tuple[str | None, list[str]]]:
    """The rows whose text is several labels in one: all of its parts are labels of other rows."""
    texts = {value for value in values if isinstance(value, str)}
    several = {}
    for text in texts:
        for mark in _MARKS:
            parts = [part.strip() for part in text.split(mark)]
            if len(parts) > 1 and texts.issuperset(parts):
                several[text] = parts
    return [(file, several[value]) for file, value in zip(files, values, strict=True)
            if isinstance(value, str) and value in several]  # fmt: skip


def _check_names(one: LabelList, column: str, labels: Sequence[str]) -> None:
    where = f"the column '{column}' of '{one.name}'"
    different = set(labels)
    if are_numbers(labels) and any(not label.lstrip("+-").isdecimal() for label in different):
        strange = next(label for label in labels if not label.lstrip("+-").isdecimal())
        raise DataError(f"{where} holds numbers with fractions ('{strange[:50]}'): these are no classes. Say which "
                        "column holds the labels, label_column=NAME.")  # fmt: skip
    for label in different:
        if len(label) > _LONGEST_CLASS or has_controls(label):
            raise DataError(f"{where} holds {label[:50]!a}, which is no name of a class: at most "
                            f"{_LONGEST_CLASS} letters, and no control characters.")  # fmt: skip
    if len(different) > max(2, len(set(one.file)) / 2):
        raise DataError(f"{where} holds {len(different):,} different labels in {len(labels):,} rows: these name the "
                        "pictures, not classes. Say which column holds the labels, label_column=NAME.")  # fmt: skip
