"""Which split and which class each file of an archive belongs to, by the folders that it lies in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kd_engine.data.pictures import SUFFIXES
from kd_engine.data.splits import held_out
from kd_engine.errors import DataError
from kd_engine.intake.archive import Member

_SPLITS = {
    "train": "train", "training": "train",
    "test": "test", "testing": "test",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
}  # fmt: skip
TEST_SEED = 20_161_028  # arbitrary; a change would change every test split that is made here
MOST_CLASSES = 100_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture and where it goes.

    Attributes:
        split: `train` or `test`.
        label: the index of its class.
    """

    member: Member
    split: str
    label: int


@dataclass(frozen=True)
class Layout:
    """Where all pictures of an archive go.

    Attributes:
        placed: in the archive's order.
        notes: what a user should know of how that was decided.
        left_out: files that are no pictures, by what they are.
    """

    classes: tuple[str, ...]
    placed: tuple[Placed, ...]
    notes: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)


def lay_out(members: Sequence[Member], test_share: float) -> Layout:
    """Reads train/CLASS/... and test/CLASS/... (or val/), or CLASS/... to be split here; folders around it are passed.

    Args:
        test_share: of each class, where the archive has no splits.

    Raises:
        DataError: the pictures do not lie in one of these ways.
    """
    pictures, left_out = _pictures(members)
    if not pictures:
        raise DataError(f"the archive holds no pictures; expected files that end in {', '.join(SUFFIXES)}.")
    paths = _without_common_folders([member.name.split("/") for member in pictures])
    splits = {_SPLITS.get(path[0].lower()) for path in paths}
    if "train" in splits:
        return _by_split(pictures, paths, left_out)
    return _by_class(pictures, paths, left_out, test_share)


def _pictures(members: Iterable[Member]) -> tuple[list[Member], dict[str, int]]:
    found, left_out = [], Counter[str]()
    for member in members:
        parts = member.name.split("/")
        if any(part.startswith(".") for part in parts) or parts[0] == "__MACOSX":
            left_out["hidden"] += 1
        elif not member.name.lower().endswith(SUFFIXES):
            left_out["not pictures by their names"] += 1
        else:
            found.append(member)
    return found, dict(left_out)


def _without_common_folders(paths: list[list[str]]) -> list[list[str]]:
    """The paths from the first folder on in which they differ, or that names a split."""
    while all(len(path) > 1 for path in paths) and len({path[0] for path in paths}) == 1:
        if paths[0][0].lower() in _SPLITS:
            break
        paths = [path[1:] for path in paths]
    return paths


def _by_split(pictures: list[Member], paths: list[list[str]], left_out: dict[str, int]) -> Layout:
    found: list[tuple[Member, str, str]] = []
    for member, path in zip(pictures, paths, strict=True):
        split = _SPLITS.get(path[0].lower())
        if split is None or len(path) < 3:
            raise DataError(
                f"'{member.name}' lies beside the splits or in no class; expected train/CLASS/PICTURE and "
                "test/CLASS/PICTURE (or val/)."
            )
        found.append((member, split, path[1]))
    splits = {split for _, split, _ in found}
    if splits == {"train"}:
        raise DataError(
            "the archive has a folder train and neither test nor val; add one, or leave the folder train out and have "
            "the classes split here."
        )
    notes = []
    joined = {"train": "train", "test": "test", "val": "test"}
    if splits == {"train", "val", "test"}:
        joined["val"] = "train"
        notes.append("val was put with train, of which each job holds out its own validation images; test is test")
    classes = _classes({name for _, split, name in found if joined[split] == "train"})
    strange = sorted({name for _, _, name in found} - set(classes))
    if strange:
        raise DataError(f"there are classes to test on that train does not have: {', '.join(strange[:5])}.")
    index = {name: label for label, name in enumerate(classes)}
    placed = tuple(Placed(member, joined[split], index[name]) for member, split, name in found)
    return Layout(classes, placed, tuple(notes), left_out)


def _by_class(pictures: list[Member], paths: list[list[str]], left_out: dict[str, int], test_share: float) -> Layout:
    for member, path in zip(pictures, paths, strict=True):
        if len(path) < 2:
            raise DataError(f"'{member.name}' lies in no folder; expected a folder for each class, pictures in it.")
    classes = _classes({path[0] for path in paths})
    index = {name: label for label, name in enumerate(classes)}
    labels = [index[path[0]] for path in paths]
    tested = test_mask([member.name for member in pictures], labels, test_share)
    placed = tuple(
        Placed(member, "test" if test else "train", label)
        for member, label, test in zip(pictures, labels, tested, strict=True)
    )
    note = f"the archive has no splits: {sum(tested):,} of its {len(placed):,} pictures, of each class its share, test"
    return Layout(classes, placed, (note,), left_out)


def test_mask(names: Sequence[str], labels: Sequence[int], share: float) -> list[bool]:
    """Drawn in the order of names, so that it does not matter how the archive was packed."""
    order = sorted(range(len(names)), key=names.__getitem__)
    count = max(1, round(share * len(names)))
    drawn = held_out(np.array([labels[place] for place in order]), count, TEST_SEED)
    mask = [False] * len(names)
    for place, test in zip(order, drawn.tolist(), strict=True):
        mask[place] = test
    return mask


def _classes(names: set[str]) -> tuple[str, ...]:
    if len(names) < 2:
        raise DataError(f"there is one class, '{next(iter(names), '')}'; expected at least two folders with pictures.")
    if len(names) > MOST_CLASSES:
        raise DataError(f"there are {len(names):,} classes; at most {MOST_CLASSES:,} are taken.")
    return tuple(sorted(names))
