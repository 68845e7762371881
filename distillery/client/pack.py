"""A folder as one zip, the same byte for byte whenever the folder is: so a broken transfer can be gone on with."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_TEXT = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".xml")  # all else is compressed already, as pictures are


def pack(folder: Path, target: IO[bytes]) -> None:
    """Writes the files of `folder`, which lie in the zip below its name; hidden ones are left out.

    Raises:
        FileNotFoundError: there is nothing in it.
    """
    top = folder.resolve().name or "data"
    empty = True
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        for path in _files(folder):
            empty = False
            entry = zipfile.ZipInfo(f"{top}/{path.relative_to(folder).as_posix()}", _DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED if path.suffix.lower() in _TEXT else zipfile.ZIP_STORED
            entry.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed, 2**20)
    if empty:
        raise FileNotFoundError(f"the folder {folder} holds no files")


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(names):
            if not name.startswith(".") and (path := Path(parent, name)).is_file():
                yield path
