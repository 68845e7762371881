"""Which picture a row of a list means: by its path, or by as much of it as the list says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import unquote

from kd_engine.intake.archive import Member
from kd_engine.intake.list_rows import PICTURES
from kd_engine.intake.split_names import Split, split_of
from kd_engine.platform.file_names import one_spelling

_LABEL_STUDIO = re.compile(r"^[0-9a-f]{8}-(?=.)")  # before the names of files that were sent to it


class Pictures:
    """The pictures of an archive, by how a list may call them."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for number, member in enumerate(members):
            file = member.name.rpartition("/")[2].casefold()
            self._by_name[file].append(number)
            stem = _stem(file)
            if stem != file:
                self._by_name[stem].append(number)

    def find(self, value: str, folder: str = "", split: Split | None = None) -> list[int]:
        """The numbers of all pictures that may be meant; of several that are called so those that fit best.

        Args:
            folder: that the list lies in, with a `/` at its end.
            split: of the row, which a picture's folders may name as well.
        """
        path = one_spelling(_path(value))
        file = path.rpartition("/")[2]
        found = self._by_name.get(file.casefold())
        if found is None and (rest := _LABEL_STUDIO.sub("", file)) != file:
            path = rest
            found = self._by_name.get(rest.casefold())
        if found is None or len(found) == 1:
            return found or []
        names = {number: self._members[number].name for number in found}
        for fits in (
            lambda name: (folder + path).casefold() in (name.casefold(), _stem(name.casefold())),
            lambda name: _ends(name, path),
            lambda name: split is not None and split in map(split_of, name.split("/")[:-1]),
            lambda name: name.startswith(folder),
            lambda name: name.rpartition("/")[2] in (file, path),
        ):
            left = [number for number in found if fits(names[number])]
            found = left or found
        return found

    @property
    def all_differ(self) -> bool:
        """Whether no two pictures are called the same, so that a name alone says which is meant."""
        return all(len(numbers) == 1 for numbers in self._by_name.values())

    def knows(self, value: str) -> bool:
        """Whether any picture may be meant."""
        return bool(self.find(value))


def _path(value: str) -> str:
    """The path of a value that is one, or an address: without its scheme, host and query."""
    path = value.replace("\\", "/")
    if "?d=" in path:  # Label Studio's local files
        path = unquote(path.partition("?d=")[2])
    elif "://" in path:
        path = unquote(path.partition("://")[2].partition("?")[0].partition("/")[2])
    return "/".join(part for part in path.split("/") if part not in ("", ".", ".."))


def _ends(name: str, path: str) -> bool:
    whole, end = "/" + name.casefold(), "/" + path.casefold()
    return whole.endswith(end) or _stem(whole).endswith(end)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] if name.endswith(PICTURES) else name
