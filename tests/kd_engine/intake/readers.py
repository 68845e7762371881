"""Every reader of what users send, and how much memory it may take of a small file, whatever that says of itself.

Whoever adds a reader adds its row here and its lies in a file `lies_*.py` beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kd_engine.intake.archive import Archive
from kd_engine.intake.arrays import check_arrays
from kd_engine.intake.folder import check_pictures
from kd_engine.intake.layout import lay_out
from kd_engine.intake.sniff import Format, sniff

MIB = 2**20


@dataclass(frozen=True)
class Reader:
    """
    Attributes:
        format: as `sniff` calls it.
        read: the file, to files in a folder.
        bound: bytes of memory beyond what is there before.
    """

    format: Format
    read: Callable[[Path, Path], object]
    bound: int


def _archive(path: Path, out: Path, *, is_tar: bool) -> None:
    archive = Archive(path, is_tar=is_tar)
    check_pictures(archive, lay_out(archive.members, 0.2), out, broken="refuse")


def _sniffed(path: Path, _: Path) -> None:
    with path.open("rb") as file:
        sniff(file)


READERS = {
    "sniff": Reader("unknown", _sniffed, 8 * MIB),
    "zip": Reader("zip", lambda path, out: _archive(path, out, is_tar=False), 16 * MIB),
    "tar": Reader("tar", lambda path, out: _archive(path, out, is_tar=True), 16 * MIB),
    "picture": Reader("zip", lambda path, out: _archive(path, out, is_tar=False), 1024 * MIB),
    "npz": Reader("npz", lambda path, out: check_arrays(path, out, test_share=0.2), 192 * MIB),
}
