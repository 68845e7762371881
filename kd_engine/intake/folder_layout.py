"""Which split and which class each file of an archive belongs to, by the folders that it lies in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kd_engine.data.splits import held_out
from kd_engine.images.file_kinds import MOST_LOST
from kd_engine.intake.archive import Member
from kd_engine.intake.split_names import Split, purpose_of, split_of
from kd_engine.platform.file_names import in_order
from kd_engine.schema.errors import DataError

TEST_SEED = 20_161_028  # arbitrary; a change would change every test split that is made here
MOST_CLASSES = 100_000
_SHOWN = 5
_LISTS = (".csv", ".tsv", ".json", ".jsonl", ".cls")
_OF_SYSTEMS = ("thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r")


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture and where it goes.

    Attributes:
        split: `train`, `validation` or `test`.
        labels: the index of its class; or of its classes, where it may have several.
    """

    member: Member
    split: str
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where all pictures of an archive go.

    Attributes:
        placed: in the archive's order.
        notes: what a user should know of how that was decided.
        left_out: files that are no pictures, by what they are.
        test_share: of each class, where the test split was drawn here.
        several: a picture may have several classes, or none.
    """

    classes: tuple[str, ...]
    placed: tuple[Placed, ...]
    notes: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    test_share: float | None = None
    several: bool = False


@dataclass
class Found:
    """What an archive holds.

    Attributes:
        foreign: files that are neither pictures nor text.
        aside: pictures in folders of a purpose, by folder.
        lists: files that may say the classes, which are not read.
    """

    pictures: list[Member] = field(default_factory=list)
    foreign: list[Member] = field(default_factory=list)
    aside: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    lists: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        notes = [f"left out, as '{folder}' names no class: {count:,} pictures" for folder, count in self.aside.items()]
        if self.foreign:
            names = ", ".join(member.name for member in self.foreign[:_SHOWN])
            notes.append(f"left out, as they are no pictures: {len(self.foreign):,} files, among them {names}")
        return notes

    def seen(self) -> str:
        """For messages: what else there is."""
        aside = [f"{count:,} pictures in '{folder}'" for folder, count in self.aside.items()]
        left = f" Left out as no class: {', '.join(aside[:_SHOWN])}." if aside else ""
        if not self.lists:
            return left
        return f"{left} Beside them lies '{self.lists[0]}'."


def lay_out(members: Sequence[Member], test_share: float, *, keep_going: bool = False) -> Layout:
    """Reads train/CLASS/... and test/CLASS/... (and validation/), or CLASS/... to be split here; folders around it are
    passed.

    Args:
        test_share: of each class, where the archive has no splits.
        keep_going: although files that may have been pictures are left out.

    Raises:
        DataError: the pictures do not lie in one of these ways.
    """
    found = find(members)
    if not found.pictures:
        raise DataError(
            f"the archive holds no pictures, but {len(members):,} other files.{found.seen()} Expected PNG, JPEG and "
            "their like, in a folder for each class."
        )
    places = [_place(member) for member in found.pictures]
    splits = [split for split, _ in places]
    if any(splits):
        _check_split(found, splits)
    names = _classes_of([folders for _, folders in places], found)
    if not keep_going:
        _check_lost(found, names)
    if any(splits):
        return by_split(found, splits, [(name,) for name in names])
    return by_class(found, [(name,) for name in names], test_share)


def find(members: Iterable[Member]) -> Found:
    found = Found()
    for member in members:
        parts = member.name.split("/")
        if any(part.startswith(".") for part in parts) or parts[0] == "__MACOSX":
            found.left_out["hidden"] += 1
        elif not member.is_picture:
            if parts[-1].lower().endswith(_LISTS):
                found.lists.append(member.name)
            found.left_out["not pictures by their content"] += 1
            if not member.is_text and member.size and parts[-1].lower() not in _OF_SYSTEMS:
                found.foreign.append(member)
        elif aside := [part for part in parts[:-1] if purpose_of(part) in ("annotations", "unlabelled")]:
            found.left_out["pictures in folders that name no class"] += 1
            found.aside[aside[0]] += 1
        else:
            found.pictures.append(member)
    found.left_out = Counter(dict(sorted(found.left_out.items())))
    return found


def _place(member: Member) -> tuple[Split | None, tuple[str, ...]]:
    """The split that a picture's folders name, and its other folders but those that only hold pictures."""
    folders = member.name.split("/")[:-1]
    splits = {split: folder for folder in folders if (split := split_of(folder)) is not None}
    if len(splits) > 1:
        raise DataError(f"'{member.name}' lies in {' and '.join(splits)} at once; which of these is its split?")
    others = tuple(folder for folder in folders if split_of(folder) is None and purpose_of(folder) != "holder")
    return next(iter(splits), None), others


def _classes_of(folders: list[tuple[str, ...]], found: Found) -> list[str]:
    """The class of each picture.

    Raises:
        DataError: its folders do not tell.
    """
    while all(len(one) > 1 for one in folders) and len({one[0] for one in folders}) == 1:
        folders = [one[1:] for one in folders]
    for member, one in zip(found.pictures, folders, strict=True):
        if not one:
            raise DataError(
                f"'{member.name}' lies in no folder that names a class.{found.seen()} Expected a folder for each "
                "class, pictures in it; or, beside the pictures, a list of their labels (.csv, .tsv, .json or .jsonl)."
            )
        if len(one) > 2:
            raise DataError(
                f"'{member.name}' lies {len(one) - 1} folders below '{one[0]}': is '{one[0]}' its class, or "
                f"'{one[-1]}'? Pack it again with the pictures right in the folders of their classes."
            )
    _check_lower(folders)
    names = [one[0] for one in folders]
    for name in dict.fromkeys(names):
        if purpose_of(name) is not None:
            raise DataError(
                f"'{name}' would be a class, and is what folders are called that hold something else: the same "
                "pictures in another form, or those of another split. Send one form; if it is a class, rename it."
            )
    return names


def _check_lower(folders: list[tuple[str, ...]]) -> None:
    """Raises where it is open whether the upper or the lower folders are the classes."""
    lower: dict[str, set[str]] = defaultdict(set)
    for one in folders:
        lower[one[0]].update(one[1:])
    for upper, names in lower.items():
        same = [other for other, theirs in lower.items() if other != upper and len(names & theirs) > 1]
        if same:
            shown = ", ".join(in_order(names & lower[same[0]])[:_SHOWN])
            raise DataError(
                f"'{upper}' and '{same[0]}' hold folders of the same names: {shown}. Which are the classes? Call the "
                "splits train, validation and test, or pack the folders of the classes alone."
            )
        others = set(lower) - {upper}
        if names & others:
            raise DataError(
                f"'{upper}' would be a class, and holds folders that are classes themselves: "
                f"{', '.join(in_order(names & others)[:_SHOWN])}. If it is a split, call it train, validation or test."
            )


def _check_lost(found: Found, names: Sequence[str]) -> None:
    """Raises where many files of a class are of a kind that is no picture: a class is not lost without a word."""
    lost: dict[str, list[Member]] = defaultdict(list)
    for member in found.foreign:
        _, folders = _place(member)
        lost[folders[-1] if folders else ""].append(member)
    kept = Counter(names)
    for name, files in lost.items():
        if name and len(files) > MOST_LOST * (len(files) + kept[name]):
            raise DataError(
                f"{len(files):,} of {len(files) + kept[name]:,} files in '{name}' are no pictures by their content, "
                f"among them {files[0].name}. Save them as PNG or JPEG, or send it again with broken=skip to leave "
                "them out."
            )


def _check_split(found: Found, splits: Sequence[Split | None]) -> None:
    for member, split in zip(found.pictures, splits, strict=True):
        if split is None:
            raise DataError(
                f"'{member.name}' lies beside the splits; expected train/CLASS/PICTURE and test/CLASS/PICTURE (or "
                "validation/). If the name of a split is that of a class, rename it."
            )


def by_split(found: Found, splits: Sequence[Split | None], labels: Sequence[tuple[str, ...]]) -> Layout:
    joined, notes = joined_splits({split for split in splits if split})
    trained = [own for split, own in zip(splits, labels, strict=True) if split == "train"]
    classes = check_classes({name for own in trained for name in own})
    strange = in_order({name for own in labels for name in own} - set(classes))
    if strange:
        raise DataError(f"there are classes to test on that train does not have: {', '.join(strange[:_SHOWN])}.")
    index = {name: label for label, name in enumerate(classes)}
    placed = tuple(
        Placed(member, joined[split], tuple(index[name] for name in own))
        for member, split, own in zip(found.pictures, splits, labels, strict=True)
        if split
    )
    return Layout(classes, placed, (*notes, *found.notes()), dict(found.left_out))


def joined_splits(given: set[Split]) -> tuple[dict[Split, str], list[str]]:
    """What becomes of the splits that are there, and what is to be said of it.

    Raises:
        DataError: one that is needed is not there.
    """
    if "train" not in given:
        raise DataError(f"all pictures are of {' and '.join(sorted(given))}; there is no train.")
    if given == {"train"}:
        raise DataError(
            "there is a split train and neither test nor validation; add one, or leave out the name train and have the "
            "classes split here."
        )
    if "test" in given:
        return {"train": "train", "validation": "validation", "test": "test"}, []
    note = "there is no test split: the validation split is the test, and each job holds out images of train"
    return {"train": "train", "validation": "test"}, [note]


def by_class(found: Found, labels: Sequence[tuple[str, ...]], test_share: float) -> Layout:
    classes = check_classes({name for own in labels for name in own}, found.seen())
    index = {name: label for label, name in enumerate(classes)}
    numbers = [tuple(index[name] for name in own) for own in labels]
    tested = draw_test([member.name for member in found.pictures], numbers, test_share)
    placed = tuple(
        Placed(member, "test" if test else "train", own)
        for member, own, test in zip(found.pictures, numbers, tested, strict=True)
    )
    note = f"the archive has no splits: {sum(tested):,} of its {len(placed):,} pictures, of each class its share, test"
    return Layout(classes, placed, (note, *found.notes()), dict(found.left_out), test_share)


def draw_test(
    names: Sequence[str], labels: Sequence[tuple[int, ...]], share: float, twins: Mapping[str, int] | None = None
) -> list[bool]:
    """Drawn in the order of names, so that it does not matter how the archive was packed.

    Args:
        twins: by name, the group of equal pictures that one belongs to; such a group is not divided.
    """
    order = sorted(range(len(names)), key=names.__getitem__)
    count = max(1, round(share * len(names)))
    groups = None if twins is None else np.array([twins[names[place]] for place in order])
    strata = _strata(labels)
    drawn = held_out(np.array([strata[place] for place in order]), count, TEST_SEED, groups)
    mask = [False] * len(names)
    for place, test in zip(order, drawn.tolist(), strict=True):
        mask[place] = test
    return mask


def _strata(labels: Sequence[tuple[int, ...]]) -> list[int]:
    """As `data.splits.strata`, of lists of classes."""
    images = Counter(label for own in labels for label in own)
    none = max(images, default=0) + 1
    return [min(own, key=lambda label: (images[label], label), default=none) for own in labels]


def check_classes(names: set[str], seen: str = "") -> tuple[str, ...]:
    """The classes in their order; raises DataError where they are too few or too many."""
    if len(names) < 2:
        raise DataError(
            f"there is one class, '{next(iter(names), '')}'; expected at least two folders with pictures.{seen}"
        )
    if len(names) > MOST_CLASSES:
        raise DataError(f"there are {len(names):,} classes; at most {MOST_CLASSES:,} are taken.")
    return tuple(in_order(names))
