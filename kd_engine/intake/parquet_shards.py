"""A table in several files of an archive: which of them belong to it, and what their names say of all of their rows.

As data hubs publish them (`data/train-00000-of-00002.parquet`), as `datasets.save_to_disk` writes them
(`train/data-00000-of-00001.arrow` and `state.json`), and in hive folders (`split=train/label=cat/part-0.parquet`).
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from kd_engine.intake.archive import TABLES, Member, Packed
from kd_engine.intake.shard import LABELS, SPLIT, Shard
from kd_engine.intake.split_names import PART, Split, purpose_of, split_of, splits_in
from kd_engine.platform.file_names import in_order, one_spelling
from kd_engine.schema.errors import DataError

_SAVED = "state.json"
_MOST_SAVED_BYTES = 2**20
_HALF_OF_A_HUB = "partial-"  # of the first rows of a large split, which hubs convert by themselves
_SHOWN = 5


@dataclass(frozen=True)
class Tables:
    """Files of one table.

    Attributes:
        shards: without their paths, as they are still packed.
        notes: what their sender should know.
    """

    archive: Packed
    shards: dict[Member, Shard]
    notes: tuple[str, ...]

    @contextmanager
    def unpacked(self, scratch: Path) -> Iterator[list[Shard]]:
        """The files, in a folder of their own as long as the block lasts."""
        with tempfile.TemporaryDirectory(dir=scratch, prefix="tables-") as folder:
            paths = {member: Path(folder).absolute() / str(number) for number, member in enumerate(self.shards)}
            self.archive.unpack(paths)
            yield [replace(shard, path=str(paths[member])) for member, shard in self.shards.items()]


def tables_of(archive: Packed) -> Tables | None:
    """The table that an archive of tables holds; None where it holds pictures, or no tables.

    Raises:
        DataError: a file of it is missing, or it is open what belongs to it.
    """
    plain = [member for member in archive.members if not _is_hidden(member.name)]
    tables = {member.name: member for member in plain if member.name.lower().endswith(TABLES)}
    if not tables or any(member.is_picture for member in plain):
        return None
    aside = _not_saved(archive, plain, tables)
    notes = [f"left out, as state.json beside it does not name it: {name}" for name in aside[:_SHOWN]]
    found: dict[str, tuple[Shard, tuple[str, ...]]] = {}
    for name in in_order(tables.keys() - set(aside)):
        if any(purpose_of(part) == "unlabelled" for part in (*name.split("/")[:-1], _stem(name))):
            notes.append(f"left out, as it names no class: {name}")
        else:
            found[name] = _shard(name)
    if not found:
        raise DataError(f"no table of the archive has labels: {', '.join(in_order(tables)[:_SHOWN])}.")
    _check_whole(found)
    _check_alike(found)
    whole = all(isinstance(shard.label, str) and shard.label.isdecimal() for shard, _ in found.values())
    shards = {
        tables[name]: replace(shard, label=int(shard.label)) if whole and shard.label is not None else shard
        for name, (shard, _) in found.items()
    }
    return Tables(archive, shards, tuple(notes))


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith((".", "_")) for part in parts)


def _stem(name: str) -> str:
    return PART.sub("", name.rpartition("/")[2].rpartition(".")[0])


def _not_saved(archive: Packed, members: list[Member], tables: dict[str, Member]) -> list[str]:
    """Tables that lie in a folder of `save_to_disk` and are none of its own: caches of what was computed there.

    Raises:
        DataError: one of its own is missing.
    """
    states = [member for member in members if member.name.rpartition("/")[2] == _SAVED]
    large = [member for member in states if member.size > _MOST_SAVED_BYTES]
    if large:
        raise DataError(f"'{large[0].name}' has {large[0].size:,} bytes; at most {_MOST_SAVED_BYTES:,} are read.")
    aside: list[str] = []
    for member, content in archive.contents(states):
        folder = member.name[: -len(_SAVED)]
        named = {folder + name for name in _named_in(content)}
        if not named:
            continue
        for name in in_order(named):
            if name not in tables:
                raise DataError(f"'{member.name}' names '{name}', which the archive does not hold; pack it as well.")
        aside += [name for name in tables if name.rpartition("/")[0] == folder.rstrip("/") and name not in named]
    return in_order(aside)


def _named_in(content: bytes) -> list[str]:
    """The files that a `state.json` names; none where it is another kind of file."""
    try:
        state = json.loads(content)
        indices = state.get("_indices_data_files") or state.get("_indices_files")
        names = [one_spelling(str(file["filename"])) for file in state["_data_files"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    if indices:
        raise DataError(
            "state.json says that the rows are chosen by a table of indices; write it anew after flatten_indices()."
        )
    return names


def _shard(name: str) -> tuple[Shard, tuple[str, ...]]:
    """What a name says, and the folders that say nothing.

    Raises:
        DataError: it names two splits.
    """
    splits: dict[Split, str] = {}
    label, rest = None, []
    *folders, _ = name.split("/")
    for folder in folders:
        key, is_hive, value = folder.partition("=")
        split = split_of(unquote(value) if is_hive and key.casefold() == SPLIT else folder.removeprefix(_HALF_OF_A_HUB))
        if split is not None:
            splits[split] = folder
        elif is_hive and key.casefold() in LABELS:
            label = one_spelling(unquote(value))
        elif not is_hive:
            rest.append(folder)
    for split in splits_in(_stem(name)):
        splits.setdefault(split, split)
    if len(splits) > 1:
        raise DataError(f"'{name}' names the splits {' and '.join(splits.values())} at once; which is its own?")
    return Shard("", name, next(iter(splits), None), label), tuple(rest)


def _check_whole(found: dict[str, tuple[Shard, tuple[str, ...]]]) -> None:
    """Raises where a table is said to be in so many files and some are not there."""
    parts: dict[tuple[str, int], set[int]] = defaultdict(set)
    for name in found:
        if part := PART.search(name.rpartition("/")[2]):
            folder, _, file = name.rpartition("/")
            parts[f"{folder}/{file[: part.start()]}".lstrip("/"), int(part[2])].add(int(part[1]))
    for (table, count), numbers in parts.items():
        if len(numbers) < count:
            absent = next(number for number in range(count) if number not in numbers)
            raise DataError(
                f"'{table}' is in {count:,} files, and {len(numbers):,} of them are here: number {absent} is missing. "
                "Send all of them, or write the rows anew."
            )


def _check_alike(found: dict[str, tuple[Shard, tuple[str, ...]]]) -> None:
    """Raises where the files seem to be of more than one table."""
    (first, (shard, rest)), *others = found.items()
    for name, (other, other_rest) in others:
        if other_rest != rest:
            raise DataError(
                f"'{first}' and '{name}' lie in folders that name no split: are they two data sets, or two forms of "
                "one? Send one."
            )
        for what, one, another in (("split", shard.split, other.split), ("label", shard.label, other.label)):
            if (one is None) != (another is None):
                says, silent = (name, first) if one is None else (first, name)
                raise DataError(f"'{says}' names its {what}, and '{silent}' does not; name it for all or for none.")
