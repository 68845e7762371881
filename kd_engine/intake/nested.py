"""Archives in an archive: `train.zip` and `test.zip`, or shards such as `train-000.tar`. Each is a folder of its name.

One within the other, and no deeper. What was sent bounds all that comes out, however often it was packed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kd_engine.intake.archive import ARCHIVES, Archive, Member, Packed, check_count, check_total
from kd_engine.intake.formats import FORMATS, sniff
from kd_engine.schema.errors import DataError


@contextmanager
def opened(path: Path, scratch: Path, *, is_tar: bool, encoding: str | None = None) -> Iterator[Packed]:
    """The archive; those in it, where it holds such and no pictures. They lie in `scratch` as long as the block lasts.

    Raises:
        DataError: it is broken, or holds what is not taken.
        DiskFullError: no room.
    """
    outer = Archive(path, is_tar=is_tar, encoding=encoding)
    inner = [member for member in outer.members if _is_archive(member)]
    if not inner or any(member.is_picture for member in outer.members):
        yield outer
        return
    with tempfile.TemporaryDirectory(dir=scratch, prefix="archives-") as folder:
        paths = {member: Path(folder).absolute() / str(number) for number, member in enumerate(inner)}
        outer.unpack(paths)
        yield Nested(outer, paths, path.stat().st_size, encoding)


def _is_archive(member: Member) -> bool:
    hidden = any(part.startswith(".") for part in member.name.split("/")) or member.name.startswith("__MACOSX/")
    return member.name.lower().endswith(ARCHIVES) and not hidden


class Nested:
    """The files of archives that came in another one, and what else that holds.

    Args:
        paths: where the inner ones lie.
        sent: bytes, of the outer one.
        encoding: of names of which the archives say none.
    """

    def __init__(self, outer: Archive, paths: Mapping[Member, Path], sent: int, encoding: str | None = None) -> None:
        self._places: dict[str, tuple[Archive, Member]] = {
            member.name: (outer, member) for member in outer.members if member not in paths
        }
        self.guessed = outer.guessed
        self.used: set[str] = set()
        total, whose = 0, dict[str, str]()
        for member in sorted(paths, key=lambda member: member.name):
            folder = _folder(member.name)
            if folder in whose:
                raise DataError(f"'{whose[folder]}' and '{member.name}' would be the same folder; rename one.")
            whose[folder] = member.name
            archive = _inner(paths[member], member.name, sent, encoding)
            self.guessed = self.guessed or archive.guessed
            total += sum(found.size for found in archive.members)
            check_total(total, sent)
            check_count(len(self._places) + len(archive.members), sent)
            for found in archive.members:
                self._places[f"{folder}/{found.name}"] = archive, found
        self.members = tuple(replace(member, name=name) for name, (_, member) in self._places.items())

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """As `Packed`; archive by archive."""
        for archive, by_inner in self._by_archive(wanted):
            for member, content in archive.contents(by_inner):
                yield by_inner[member], content

    def unpack(self, wanted: Mapping[Member, Path]) -> None:
        """As `Packed`."""
        for archive, by_inner in self._by_archive(wanted):
            archive.unpack({member: wanted[ours] for member, ours in by_inner.items()})

    def _by_archive(self, wanted: Iterable[Member]) -> list[tuple[Archive, dict[Member, Member]]]:
        found: dict[int, tuple[Archive, dict[Member, Member]]] = {}
        for member in wanted:
            self.used.add(member.name)
            archive, inner = self._places[member.name]
            found.setdefault(id(archive), (archive, {}))[1][inner] = member
        return list(found.values())


def _folder(name: str) -> str:
    return next(name[: -len(suffix)] for suffix in sorted(ARCHIVES, key=len, reverse=True)
                if name.lower().endswith(suffix))  # fmt: skip


def _inner(path: Path, name: str, sent: int, encoding: str | None) -> Archive:
    with path.open("rb") as file:
        found = sniff(file)
    if found not in ("zip", "tar"):
        raise DataError(f"'{name}' in the archive is {FORMATS[found]}; expected a zip or tar archive.")
    try:
        return Archive(path, is_tar=found == "tar", sent=sent, encoding=encoding)
    except DataError as error:
        raise DataError(f"in '{name}': {error}") from error
