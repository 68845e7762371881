"""A table with a picture and its label in each row, as data hubs publish them: parquet or Arrow, in a file or more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kd_engine.intake.archive import HARMLESS_BYTES, MOST_FILE_BYTES, MOST_RATIO, Member, most_entries
from kd_engine.intake.confined_process import Confines, confined
from kd_engine.intake.folder_layout import MOST_CLASSES, Layout, Placed, draw_test, joined_splits
from kd_engine.intake.shard import Shard
from kd_engine.intake.split_names import Split
from kd_engine.platform.file_names import in_order
from kd_engine.schema.errors import DataError

_ROWS = "kd_engine.intake.parquet_rows"
_MEMORY, _MEMORY_OF_A_BYTE, _MOST_MEMORY = 2**29, 4, 2**32
_SECONDS = 300  # for the next rows


class PictureTable:
    """A table whose columns and labels were looked at.

    Args:
        packed: bytes that were sent; its pictures and rows are bounded by them.
        several: a picture may have several classes: its label is a list, or a single one.

    Raises:
        DataError: it is broken, or has no column of pictures or of labels.
    """

    def __init__(self, shards: Sequence[Shard], packed: int, *, several: bool = False) -> None:
        self._shards, self._packed, self._several = shards, packed, several
        answers = self._confined("labels", most_rows=most_entries(packed), several=several)
        self._column, self._names = json.loads(next(answers))
        self._labels: list[Any] = []
        self._rows = [0] * len(shards)
        splits: list[Split] = []
        kept: dict[Any, Any] = {}  # the same text in many rows is held once
        for answer in answers:
            number, found, split = json.loads(answer)
            self._rows[number] += len(found)
            self._labels += [
                tuple(kept.setdefault(one, one) for one in value) if isinstance(value, list)
                else kept.setdefault(value, value)
                for value in found
            ]  # fmt: skip
            splits += split or ()
            _check_classes(len(kept))
        if 0 < len(splits) < len(self._labels):
            raise DataError("some of the tables say the splits of their rows and others do not; say them in all.")
        self._splits = splits or None

    @classmethod
    def alone(cls, path: Path, *, several: bool = False) -> PictureTable:
        """Of a single file that was sent."""
        return cls([Shard(str(path.absolute()))], path.stat().st_size, several=several)

    def layout(self, test_share: float) -> Layout:
        """Where each row's picture goes: by its label, and by the column `split` or the file's name where they say it.

        Raises:
            DataError: labels are missing, are no classes, or there is only one.
        """
        classes, labels = self._classes(self._labels)
        names = [f"{shard.name} row {number}".lstrip() for shard, rows in zip(self._shards, self._rows, strict=True)
                 for number in range(rows)]  # fmt: skip
        if self._splits is not None:
            joined, notes = joined_splits(set(self._splits))
            splits, share = [joined[split] for split in self._splits], None
            known, others = set[int](), set[int]()
            for own, split in zip(labels, splits, strict=True):
                (known if split == "train" else others).update(own)
            strange = [name for label, name in enumerate(classes)
                       if label not in known and (label in others or not self._several)]  # fmt: skip
            if strange:
                raise DataError(f"there are classes to test on that train does not have: {', '.join(strange[:5])}.")
        else:
            tested = draw_test([f"{number:012}" for number in range(len(labels))], labels, test_share)
            splits = ["test" if test else "train" for test in tested]
            notes, share = [f"the table says no splits: {test_share:.0%} of each class are test"], test_share
        # no file has a name here: its suffix says that it is a picture, and the content says of which kind
        members = [Member(f"{name}.png", 0) for name in names]
        placed = tuple(Placed(*row) for row in zip(members, splits, labels, strict=True))
        return Layout(classes, placed, tuple(notes), test_share=share, several=self._several)

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """The pictures of these rows, in the table's order.

        Raises:
            DataError: the table is broken there, or holds far more than its size allows.
        """
        members, total, packed = list(wanted), 0, self._packed
        rows = 0
        for content in self._confined("pictures"):
            total += len(content)
            if len(content) > MOST_FILE_BYTES or (total > HARMLESS_BYTES and total > MOST_RATIO * packed):
                raise DataError(f"the pictures unpack to more than {total:,} bytes from {packed:,}.")
            if rows < len(members):
                yield members[rows], content
            rows += 1
        if rows != len(members):
            raise DataError(f"the table has {rows:,} pictures and {len(members):,} labels; expected as many of each.")

    def _confined(self, what: str, **request: Any) -> Iterator[bytes]:
        largest = max(Path(shard.path).stat().st_size for shard in self._shards)
        memory = min(_MEMORY + _MEMORY_OF_A_BYTE * largest, _MOST_MEMORY)
        confines = Confines(memory, _SECONDS, "the table", "write it with fewer rows in each row group")
        request["shards"] = [asdict(shard) for shard in self._shards]
        return confined(f"{_ROWS}:{what}", request, b"", confines)

    def _classes(self, given: list[Any]) -> tuple[tuple[str, ...], list[tuple[int, ...]]]:
        """The names of the classes, and those of each row by number."""
        rows = [value if isinstance(value, tuple) else (value,) for value in given]
        values = [value for row in rows for value in row]
        missing = sum(value is None for value in values)
        if missing:
            raise DataError(
                f"{missing:,} of {len(rows):,} rows have no '{self._column}'; fill them, or leave them out."
            )
        found = in_order(set(values)) if all(isinstance(value, str) for value in values) else sorted(set(values))
        if len(found) < 2:
            what = f"one class, {found[0]!r}" if found else "no class"
            raise DataError(f"the column '{self._column}' holds {what}; expected at least two.")
        _check_classes(len(found))
        names = self._names
        if names is not None and all(isinstance(value, int) and 0 <= value < len(names) for value in found):
            if len(found) < len(names) and not self._several:
                absent = next(name for number, name in enumerate(names) if number not in set(found))
                raise DataError(f"the table names {len(names)} classes, and has no row of '{absent}'.")
            return tuple(names), [tuple(sorted(set(row))) for row in rows]
        index = {value: label for label, value in enumerate(found)}
        return tuple(map(str, found)), [tuple(sorted({index[value] for value in row})) for row in rows]


def _check_classes(count: int) -> None:
    if count > MOST_CLASSES:
        raise DataError(f"there are {count:,} classes; at most {MOST_CLASSES:,} are taken.")
