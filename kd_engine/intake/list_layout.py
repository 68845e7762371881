"""Where the pictures of an archive go: by its folders (`layout`), or by a list beside them (`label_list`).

Both are looked at. Where they say different things, the check fails and asks which is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kd_engine.images.file_kinds import MOST_LOST
from kd_engine.intake.archive import Member
from kd_engine.intake.folder_layout import Found, Layout, by_class, by_split, find, lay_out
from kd_engine.intake.label_list import NO_LIST, LabelList, Source, lists_among, read_lists, shown
from kd_engine.intake.list_columns import Asked, are_numbers
from kd_engine.intake.list_labels import labels_of, several_of
from kd_engine.intake.list_match import Pictures
from kd_engine.intake.split_names import Split, split_of
from kd_engine.schema.errors import DataError


def lay_out_with_lists(
    source: Source,
    members: Sequence[Member],
    test_share: float,
    *,
    asked: Asked,
    packed: int,
    keep_going: bool = False,
    several: bool = False,
) -> Layout:
    """As `lay_out`, and by the lists beside the pictures where there are some.

    Args:
        asked: which list, and which columns of it.
        packed: bytes of the archive.
        keep_going: although pictures that nothing says the class of are left out.
        several: a picture may have several classes, or none, which only a list can say.

    Raises:
        DataError: neither says where the pictures go, or they say different things.
    """
    found = find(members)
    if several and found.pictures:
        return _several(source, members, found, test_share, asked=asked, packed=packed, keep_going=keep_going)
    if asked.label_list == NO_LIST or not found.pictures or not (asked or lists_among(members)):
        return lay_out(members, test_share, keep_going=keep_going)
    try:
        folders: Layout | DataError = lay_out(members, test_share, keep_going=keep_going)
    except DataError as error:
        folders = error
    try:
        said = _said(source, members, found.pictures, asked, packed)
        listed = said.layout(found, test_share, keep_going=keep_going)
    except _NoList as error:
        if isinstance(folders, DataError):
            raise DataError(f"{folders} {' '.join(error.notes)}".rstrip()) from folders
        return replace(folders, notes=(*folders.notes, *error.notes))
    except DataError as error:
        if asked or isinstance(folders, DataError):
            raise
        return replace(folders, notes=(*folders.notes, f"the folders name the classes, and no list does: {error}"))
    if asked or isinstance(folders, DataError):
        return listed
    _check_same(folders, listed, said)
    if folders.test_share is not None and listed.test_share is None:
        return listed  # it says the splits as well
    return replace(folders, notes=(*folders.notes, f"the folders name the classes, and {said.names()} says the same"))


def _several(
    source: Source, members: Sequence[Member], found: Found, test_share: float, *, asked: Asked, packed: int,
    keep_going: bool,
) -> Layout:  # fmt: skip
    try:
        said = _said(source, members, found.pictures, asked, packed, several=True)
    except _NoList as error:
        raise DataError(
            "no list beside the pictures says their classes, and a folder a class can say one alone: add a csv with a "
            "column of names of pictures and a column of 0 and 1 for each class, or with their labels divided by '|'. "
            f"{' '.join(error.notes)}".rstrip()
        ) from error
    return replace(said.layout(found, test_share, keep_going=keep_going), several=True)


class _NoList(DataError):
    """No list says the classes."""

    def __init__(self, notes: Sequence[str]) -> None:
        super().__init__(f"no list says the classes of the pictures. {'; '.join(notes)}")
        self.notes = list(notes)


@dataclass
class _Said:
    """What lists say of pictures, by the pictures' numbers."""

    lists: list[LabelList] = field(default_factory=list)
    labels: dict[int, tuple[str, ...]] = field(default_factory=dict)
    splits: dict[int, Split | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def names(self) -> str:
        return shown([one.name for one in self.lists])

    def layout(self, found: Found, test_share: float, *, keep_going: bool) -> Layout:
        """The pictures that have a label; raises DataError where too many have none."""
        numbers = sorted(self.labels)
        rest = [picture for number, picture in enumerate(found.pictures) if number not in self.labels]
        notes = [*self.notes, *_left_out(rest, [found.pictures[number] for number in numbers], keep_going)]
        left_out = dict(found.left_out) | ({"pictures that no list names": len(rest)} if rest else {})
        named = replace(found, pictures=[found.pictures[number] for number in numbers], left_out=Counter(left_out))
        labels = [self.labels[number] for number in numbers]
        splits = [self.splits[number] for number in numbers]
        if len(set(splits)) == 1 and splits[0] in (None, "train"):
            notes += ["no pictures with labels are of test"] if splits[0] else []
            layout = by_class(named, labels, test_share)
        else:
            _check_splits(named.pictures, splits)
            layout = by_split(named, splits, labels)
        return replace(layout, notes=(*notes, *layout.notes))


def _said(
    source: Source,
    members: Sequence[Member],
    pictures: Sequence[Member],
    asked: Asked,
    packed: int,
    *,
    several: bool = False,
) -> _Said:
    index = Pictures(pictures)
    lists, notes = read_lists(source, members, asked, packed, index.knows)
    said = _Said(notes=notes)
    for one in lists:
        if one.kind == "none":
            notes.append(f"left out, as it has no labels: the list '{one.name}'")
            continue
        said.lists.append(one)
        _add(said, one, index, pictures, several)
    if not said.labels:
        raise _NoList(notes)
    return said


def _add(said: _Said, one: LabelList, index: Pictures, pictures: Sequence[Member], several: bool) -> None:
    """Adds what the rows of one list say; raises DataError where two say different things of a picture.

    Where pictures may have several classes, a picture has those of all of its rows.
    """
    labels: Sequence[tuple[str, ...] | None]
    if several:
        labels, notes = several_of(one)
        said.notes += notes
    else:
        labels = [None if label is None else (label,) for label in labels_of(one)]
    absent, unlabelled = list[str](), list[str]()
    differing: dict[int, tuple[object, object]] = {}
    moved, by_name = 0, index.all_differ
    for file, label, split in zip(one.file, labels, one.splits, strict=True):
        found = [] if file is None else index.find(file, one.folder, split)
        if one.in_split:  # it speaks of the pictures in its folder, as the Hugging Face hub has it
            found = [number for number in found if _split_of(pictures[number]) in (None, split)]
        if len(found) > 1:
            names = shown([pictures[number].name for number in found])
            raise DataError(
                f"'{file}' in '{one.name}' may be each of {names}; write the pictures' paths into '{one.file_column}'."
            )
        if not found or label is None:
            (absent if not found else unlabelled).append(str(file))
            continue
        number = found[0]
        placed = _split(split, pictures[number], one, by_name=by_name)
        moved += placed != split is not None
        before = said.labels.setdefault(number, label)
        if several:
            said.labels[number] = tuple(dict.fromkeys((*before, *label)))
        if before != label and not several:
            differing.setdefault(number, (before[0], label[0]))
        elif said.splits.setdefault(number, placed) != placed:
            differing.setdefault(number, (said.splits[number], placed))
    if differing:
        number, (first, second) = next(iter(differing.items()))
        raise DataError(
            f"rows of '{one.name}' say different things of {len(differing):,} pictures: '{pictures[number].name}' is "
            f"'{first}' and '{second}'. Keep one row of each, or say which column holds the labels, label_column=NAME."
        )
    _note(said, one, labels, absent, unlabelled)
    if moved:
        said.notes.append(
            f"{moved:,} rows of '{one.name}' name pictures in folders of another split, which they stay in"
        )


def _note(
    said: _Said, one: LabelList, labels: Sequence[tuple[str, ...] | None], absent: list[str], unlabelled: list[str]
) -> None:
    how = "the columns of 0 and 1" if one.kind != "label" else f"the column {shown(list(one.targets))}"
    of = f"of '{one.name}'"
    said.notes += [f"classes are those of {how} {of}; its column '{one.file_column}' names the pictures", *one.notes]
    if one.kind == "label" and are_numbers([label for own in labels for label in own or ()]):
        said.notes.append(f"the labels {of} are numbers, and the classes are called so")
    for rows, what in ((absent, "name pictures that are not here"), (unlabelled, "have no label")):
        if rows:
            said.notes.append(f"{len(rows):,} of {len(labels):,} rows {of} {what}, among them {shown(rows)}")


def _split(said: Split | None, picture: Member, one: LabelList, *, by_name: bool) -> Split | None:
    """What the list says, and otherwise the picture's folders. A list of train may name pictures of `test/`, as one of
    validation may name those of `train/`: where names alone tell pictures apart, these folders are right.

    Raises:
        DataError: the row may as well mean a picture of train that is missing.
    """
    folder = _split_of(picture)
    if said != "train" or folder in (None, "train"):
        return said or folder
    if by_name:
        return folder
    raise DataError(
        f"'{picture.name}' lies in a folder of {folder}, and '{one.name}' says that it is of train, where other "
        "pictures are called alike. Which is meant? Write the pictures' paths into the list."
    )


def _split_of(picture: Member) -> Split | None:
    return next((split for part in picture.name.split("/")[:-1] if (split := split_of(part)) is not None), None)


def _check_splits(pictures: Sequence[Member], splits: Sequence[Split | None]) -> None:
    without = [picture.name for picture, split in zip(pictures, splits, strict=True) if split is None]
    if without:
        raise DataError(
            f"{len(without):,} of {len(splits):,} pictures that have a label have no split, and the others do: "
            f"{shown(without)}. Give each row one in a column 'split', or leave one of the lists out (label_list=NAME)."
        )


def _left_out(rest: Sequence[Member], named: Sequence[Member], keep_going: bool) -> list[str]:
    """What is to be said of pictures that no row names; raises DataError where they are too many to be an oversight.

    A folder of test pictures of which none has a label is what competitions publish.
    """
    if not rest:
        return []
    tested = {folder for folder in map(_folder, rest) if _is_test(folder)} - set(map(_folder, named))
    lost = [picture.name for picture in rest if _folder(picture) not in tested]
    if len(lost) > MOST_LOST * (len(lost) + len(named)) and not keep_going:
        raise DataError(
            f"{len(lost):,} of {len(lost) + len(named):,} pictures are named by no row that has a label, among them "
            f"{shown(lost)}. Add them to the list, or send it again with broken=skip to leave them out."
        )
    by_folder = Counter(map(_folder, rest))
    folders = ", ".join(f"{count:,} in '{folder or '.'}'" for folder, count in list(by_folder.items())[:5])
    return [f"left out, as no row gives them a label: {len(rest):,} pictures ({folders}), among them "
            f"{shown([picture.name for picture in rest[:2]])}"]  # fmt: skip


def _folder(picture: Member) -> str:
    return picture.name.rpartition("/")[0]


def _is_test(folder: str) -> bool:
    return any(split_of(part) == "test" for part in folder.split("/"))


def _check_same(folders: Layout, listed: Layout, said: _Said) -> None:
    """Raises where the classes of the folders are not those of the list under other names."""
    by_name: Mapping[str, int] = {placed.member.name: placed.labels[0] for placed in folders.placed}
    pairs: dict[int, tuple[int, str]] = {}
    back: dict[int, int] = {}
    for placed in listed.placed:
        label = by_name.get(placed.member.name)
        if label is None:
            continue
        other, _ = pairs.setdefault(placed.labels[0], (label, placed.member.name))
        if other != label or back.setdefault(label, placed.labels[0]) != placed.labels[0]:
            raise DataError(
                f"folders and list differ: '{placed.member.name}' lies in '{folders.classes[label]}', and "
                f"{said.names()} says '{listed.classes[placed.labels[0]]}'. Say which names the classes: "
                "label_list=NAME, or label_list=none for the folders."
            )
