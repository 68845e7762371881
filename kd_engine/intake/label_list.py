"""Lists beside pictures: csv, tsv, json and jsonl files that name pictures and say something of each.

    lists, notes = read_lists(archive, members, asked, packed, pictures.knows)
    for one in lists:
        one.file, one.targets, one.splits     # a value for each row

What a column is, is told by what was asked for, by its name, and by its values; where two readings are possible, the
list is refused with both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kd_engine.intake import list_rows
from kd_engine.intake.archive import Member, most_entries
from kd_engine.intake.confined_process import Confines, confined
from kd_engine.intake.list_columns import Asked, Columns, Kind, file_column, split_column, targets
from kd_engine.intake.list_rows import Value
from kd_engine.intake.split_names import Split, split_of
from kd_engine.schema.errors import DataError

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl")
MOST_LISTS = 20
MOST_BYTES = 64 * 2**20  # of all of them
NO_LIST = "none"  # as `label_list` says that the folders name the classes
_SHOWN = 5
_SMALL = 2**20  # bytes: whatever such a list holds, its values take some dozen MiB
_MEMORY, _MEMORY_OF_A_BYTE = 2**28, 8
_SECONDS = 120


class Source(Protocol):
    """What lists and pictures come in."""

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """The wanted members and their bytes, in the source's order."""


@dataclass(frozen=True)
class LabelList:
    """The rows of a list.

    Attributes:
        name: its path in the archive.
        file_column: which of its columns names the pictures.
        file: what it says there, row by row.
        targets: by column, a value for each row; more than one column only where `kind` is `one_hot` or `several`.
        kind: `label`: one column of labels; `one_hot`: columns of 0 and 1, one of them 1 in each row; `several`: as
            many of them as there are; `none`: there are no labels.
        splits: what it says of each row's split, by a column or by its own name; None where it says nothing.
        notes: what its sender should know of how it was read.
    """

    name: str
    file_column: str
    file: Sequence[str | None]
    targets: Columns
    kind: Kind
    splits: Sequence[Split | None]
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder that it lies in, with a `/` at its end; empty at the top."""
        return self.name.rpartition("/")[0] + "/" if "/" in self.name else ""

    @property
    def in_split(self) -> bool:
        """Whether it lies in the folder of a split."""
        return any(split_of(part) is not None for part in self.folder.split("/"))


def lists_among(members: Sequence[Member]) -> list[Member]:
    """The members that may be lists: not what lies beside one picture and is called as it is, nor what is hidden."""
    pictures = {member.name.rpartition(".")[0] for member in members if member.is_picture}
    return [
        member for member in members
        if member.name.lower().endswith(SUFFIXES) and not member.is_picture
        and member.name.rpartition(".")[0] not in pictures
        and not any(part.startswith(".") or part == "__MACOSX" for part in member.name.split("/"))
    ]  # fmt: skip


def read_lists(
    source: Source, members: Sequence[Member], asked: Asked, packed: int, knows: Callable[[str], bool]
) -> tuple[list[LabelList], list[str]]:
    """All lists among the members that name pictures, and what is to be said of the others.

    Args:
        packed: bytes of the archive, which bound what may come out of it.
        knows: whether a text names a picture that is there.

    Raises:
        DataError: there are too many, one cannot be read, or it is open which of its columns says what.
    """
    wanted = _wanted(lists_among(members), asked)
    found, notes, seen = list[LabelList](), list[str](), dict[str, None]()
    for member, content in source.contents(wanted):
        try:
            columns, said = _columns(member.name, content, most_entries(packed))
        except DataError as error:
            if asked.label_list is not None:
                raise
            notes.append(f"left out, as it is no list of pictures: {error}")
            continue
        seen |= dict.fromkeys(columns)
        if asked.label_list is None and _is_submission(member.name):
            notes.append(f"left out, as it is called an example of a submission: the list '{member.name}'")
            continue
        file = file_column(member.name, columns, asked, knows)
        if file is None:
            notes.append(f"left out, as no column of it names pictures that are here: the list '{member.name}'")
            continue
        found.append(_list(member.name, columns, file, asked, said))
    for key in ("file_column", "label_column"):
        column = getattr(asked, key)
        if column is not None and column not in seen:
            raise DataError(
                f"{key} is '{column}', and no list has such a column; there are {shown(list(seen)) or 'none'}."
            )
    return found, notes


def _list(name: str, columns: Columns, file: str, asked: Asked, said: Sequence[str]) -> LabelList:
    split, notes = split_column(name, columns)
    kind, chosen, why = targets(name, columns, file, split, asked)
    own = _split_of_list(name)
    splits = [own] * len(columns[file]) if split is None else [
        None if value is None else split_of(str(value)) for value in columns[split]
    ]  # fmt: skip
    files = [value if isinstance(value, str) else None for value in columns[file]]
    rest = [f"splits are those of the column '{split}' of '{name}'"] if split is not None else []
    return LabelList(name, file, files, {key: columns[key] for key in chosen}, kind, splits,
                     (*said, *notes, *why, *rest))  # fmt: skip


def _wanted(lists: list[Member], asked: Asked) -> list[Member]:
    if asked.label_list is not None:
        found = [member for member in lists
                 if member.name == asked.label_list or member.name.rpartition("/")[2] == asked.label_list]  # fmt: skip
        if not found:
            raise DataError(
                f"label_list is '{asked.label_list}', and no such list lies beside the pictures; there are "
                f"{shown([member.name for member in lists]) or 'none'}."
            )
        lists = found
    if len(lists) > MOST_LISTS:
        raise DataError(
            f"{len(lists):,} lists lie beside the pictures, among them '{lists[0].name}'; at most {MOST_LISTS} are "
            "read. Say which with label_list=NAME, or put all rows into one."
        )
    size = sum(member.size for member in lists)
    if size > MOST_BYTES:
        raise DataError(
            f"the lists beside the pictures ('{lists[0].name}', ...) have {size:,} bytes; at most {MOST_BYTES:,} are "
            "read. Leave out what is not needed, or say which with label_list=NAME."
        )
    return lists


def _columns(name: str, content: bytes, most_rows: int) -> tuple[Columns, list[str]]:
    memory = _MEMORY + _MEMORY_OF_A_BYTE * len(content)
    confines = Confines(memory, _SECONDS, f"'{name}'", "leave out what is not needed, or write it as csv")
    request: dict[str, Any] = {"name": name, "most_rows": most_rows}
    if len(content) <= _SMALL:
        answers = list_rows.columns(content, **request)
    else:
        answers = confined("kd_engine.intake.list_rows:columns", request, content, confines)
    notes = json.loads(next(answers))
    columns: dict[str, list[Value]] = {}
    kept: dict[str, str] = {}  # the same text in many rows is held once
    for answer in answers:
        column, values = json.loads(answer)
        columns[column] = [kept.setdefault(value, value) if isinstance(value, str) else value for value in values]
    return columns, notes


def _is_submission(name: str) -> bool:
    """Kaggle's example of an answer: its labels are none."""
    return "submission" in name.rpartition("/")[2].casefold()


def _split_of_list(name: str) -> Split | None:
    """The split that its own name says (`train_labels.csv`, `trainLabels.csv`), or a folder that it lies in."""
    *folders, file = name.rpartition(".")[0].split("/")
    words = re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", file)
    named = {split for word in words if (split := split_of(word)) is not None}
    if len(named) == 1:
        return named.pop()
    return next((split for folder in folders if (split := split_of(folder)) is not None), None)


def shown(names: Sequence[str]) -> str:
    """The first of them, for messages."""
    return ", ".join(f"'{name[:100]}'" for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
