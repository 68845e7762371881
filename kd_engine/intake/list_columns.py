"""Which column of a list says what: the picture, its split, its label."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kd_engine.intake.list_rows import PICTURES, Value
from kd_engine.intake.split_names import split_of
from kd_engine.schema.errors import DataError

Columns = Mapping[str, Sequence[Value]]
Kind = Literal["label", "one_hot", "several", "none"]

_FILES = (
    "filename", "filenames", "filepath", "filepaths", "file", "files", "path", "paths", "image", "images", "imagename",
    "imagefile", "imagefilename", "imagepath", "imagepaths", "imageid", "imageids", "img", "imgname", "imgpath",
    "imgid", "picture", "photo", "photoid", "isicid", "isicname", "idcode", "fname", "id", "name", "column1",
)  # fmt: skip
_LABELS = frozenset((
    "label", "labels", "labelname", "class", "classes", "classname", "classid", "classlabel", "target", "targets",
    "category", "categories", "categoryname", "categoryid", "breed", "species", "variety", "diagnosis", "dx", "disease",
    "choice", "choices", "finelabel", "imagelabel", "groundtruth", "tag", "tags", "level", "y", "column2",
))  # fmt: skip
_SPLITS = frozenset(("split", "splits", "set", "dataset", "subset", "fold", "partition", "phase", "usage", "datasplit"))
# what is said beside labels: numbers of rows, and what tools note of their own
_OTHERS = frozenset((
    "", "index", "unnamed0", "id", "annotationid", "annotator", "createdat", "updatedat", "leadtime", "width", "height",
    "size", "url", "source", "md5", "sha256", "hash",
))  # fmt: skip
_MOSTLY = 0.9  # of the values: a file name is missing now and then
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"([+-]?\d+)\.0*", re.ASCII)
_SHOWN = 5


@dataclass(frozen=True)
class Asked:
    """What a sender says of lists; None: it is found out.

    Attributes:
        label_list: the name of the one to read, or `none`.
    """

    label_list: str | None = None
    file_column: str | None = None
    label_column: str | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in (self.label_list, self.file_column, self.label_column))


def file_column(name: str, columns: Columns, asked: Asked, knows: Callable[[str], bool]) -> str | None:
    """The column that names pictures which are there; None where there is none.

    Args:
        knows: whether a text names a picture.

    Raises:
        DataError: there are several, of different pictures.
    """
    if asked.file_column is not None:
        return asked.file_column if asked.file_column in columns else None
    rank = {column: _FILES.index(_plain(column)) for column in columns if _plain(column) in _FILES}
    maybe = [column for column, values in columns.items() if column in rank or _are_files(values)]
    known = {column: sum(isinstance(value, str) and knows(value) for value in columns[column]) for column in maybe}
    best = max(known.values(), default=0)
    named = [column for column in maybe if known[column] == best and best]
    if len(named) > 1 and not all(column in rank for column in named):
        raise DataError(
            f"'{name}' has several columns of names of pictures: {_listed(named)}. Say which with file_column=NAME."
        )
    return min(named, key=lambda column: rank.get(column, 0), default=None)


def split_column(name: str, columns: Columns) -> tuple[str | None, list[str]]:
    """The column whose every value names a split, and what is to be said of one that is only called so."""
    notes = []
    for column, values in columns.items():
        if _plain(column) not in _SPLITS:
            continue
        strange = next((value for value in values if value is not None and split_of(str(value)) is None), None)
        if strange is None and any(values):
            return column, []
        notes.append(f"the column '{column}' of '{name}' is no split: it holds '{str(strange)[:100]}'")
    return None, notes


def targets(
    name: str, columns: Columns, file: str, split: str | None, asked: Asked
) -> tuple[Kind, list[str], list[str]]:
    """What the list says of its pictures: of which kind, by which columns, and how that was found out.

    Raises:
        DataError: it is open which column holds the labels.
    """
    if asked.label_column is not None:
        kind: Kind = "label" if asked.label_column in columns and any(columns[asked.label_column]) else "none"
        return kind, [asked.label_column][: kind == "label"], []
    rest = [column for column, values in columns.items()
            if column not in (file, split) and _plain(column) not in _SPLITS and any(values)]  # fmt: skip
    named = [column for column in rest if _plain(column) in _LABELS]
    if len(named) > 1:
        return "label", [_one_of(name, columns, named)], [f"{_listed(named)} of '{name}' say the same"]
    if named:
        return "label", named, []
    rest = [column for column in rest if _plain(column) not in _OTHERS]
    binary = [column for column in rest if {_number(value) for value in columns[column]} <= {"0", "1"}]
    if len(binary) > 1:
        return _kind_of(columns, binary), binary, []
    if len(rest) > 1:
        raise DataError(
            f"it is open which column of '{name}' holds the labels: {_listed(rest)}. Say which with label_column=NAME."
        )
    return ("label" if rest else "none"), rest, []


def _one_of(name: str, columns: Columns, named: Sequence[str]) -> str:
    """Of columns that say the same in other words, the one with names; raises where they do not."""
    keys = [[str(value) for value in columns[column]] for column in named]
    for column, values in zip(named[1:], keys[1:], strict=True):
        if not len(set(zip(keys[0], values, strict=True))) == len(set(keys[0])) == len(set(values)):
            raise DataError(
                f"'{name}' has several columns of labels, and '{named[0]}' and '{column}' say different things. Say "
                "which with label_column=NAME."
            )
    texts = [column for column in named if not are_numbers(columns[column])]
    return (texts or list(named))[0]


def _kind_of(columns: Columns, binary: Sequence[str]) -> Kind:
    rows = zip(*(columns[column] for column in binary), strict=True)
    return "one_hot" if all(sum(_number(value) == "1" for value in row) == 1 for row in rows) else "several"


def are_numbers(values: Sequence[Value]) -> bool:
    """Whether all that is said is a number."""
    given = {value if isinstance(value, str) else "" for value in values if value is not None}
    return bool(given) and all(map(_NUMBER.fullmatch, given))


def _number(value: Value) -> str:
    """As whole numbers are written: `1.0` is `1`."""
    text = value if isinstance(value, str) else ""
    return whole[1] if (whole := _WHOLE.fullmatch(text)) else text


def as_whole(values: Sequence[Value]) -> list[Value]:
    """Numbers of which some were written `1.0`, as what they are; all others stay."""
    return (
        [_number(value) if isinstance(value, str) else value for value in values] if are_numbers(values) else [*values]
    )


def _are_files(values: Sequence[Value]) -> bool:
    given = [value for value in values if value is not None]
    files = sum(isinstance(value, str) and _file_part(value).endswith(PICTURES) for value in given)
    return bool(given) and files >= _MOSTLY * len(given)


def _file_part(value: str) -> str:
    return value.partition("?")[0].lower() if "://" in value else value.lower()


def _plain(column: str) -> str:
    return re.sub(r"[\W_]+", "", column.casefold())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name[:100]}'" for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
