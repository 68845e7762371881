"""Splits and classes from the folders of an archive."""

from __future__ import annotations

import pytest

from kd_engine.errors import DataError
from kd_engine.intake.archive import Member
from kd_engine.intake.layout import Layout, lay_out


def _of(*names: str, share: float = 0.2) -> Layout:
    return lay_out([Member(name, 1) for name in names], share)


def _counts(layout: Layout) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for placed in layout.placed:
        key = placed.split, layout.classes[placed.label]
        counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("test", ["test", "val", "Validation", "valid", "TEST"])
@pytest.mark.parametrize("prefix", ["", "photos/", "home/me/photos/"])
def test_splits_are_found_under_any_folders(test: str, prefix: str) -> None:
    names = [f"{prefix}train/{name}/{n}.jpg" for name in ("cat", "dog") for n in range(3)]
    layout = _of(*names, f"{prefix}{test}/dog/a.JPEG", f"{prefix}README.txt")
    assert layout.classes == ("cat", "dog")
    assert _counts(layout) == {("train", "cat"): 3, ("train", "dog"): 3, ("test", "dog"): 1}
    assert layout.left_out == {"not pictures by their names": 1}


def test_of_three_splits_val_joins_train_and_that_is_said() -> None:
    layout = _of("train/a/1.png", "train/b/1.png", "val/a/2.png", "test/a/3.png")
    assert _counts(layout) == {("train", "a"): 2, ("train", "b"): 1, ("test", "a"): 1}
    assert "val was put with train" in layout.notes[0]


def test_without_splits_each_class_gives_its_share() -> None:
    names = [f"flowers/{name}/{n:03}.png" for name in ("a", "b") for n in range(50)]
    layout = _of(*names, share=0.3)
    assert _counts(layout) == {("train", "a"): 35, ("test", "a"): 15, ("train", "b"): 35, ("test", "b"): 15}
    assert "30 of its 100 pictures" in layout.notes[0]


def test_the_split_does_not_depend_on_how_the_archive_was_packed() -> None:
    names = [f"{name}/{n:03}.png" for name in ("a", "b") for n in range(20)]
    split = {placed.member.name: placed.split for placed in _of(*names).placed}
    assert {placed.member.name: placed.split for placed in _of(*reversed(names)).placed} == split


def test_a_class_may_have_folders_of_its_own() -> None:
    layout = _of(*[f"{name}/{day}/{n}.png" for name in ("a", "b") for day in ("mon", "tue") for n in range(5)])
    assert layout.classes == ("a", "b")
    assert len(layout.placed) == 20


def test_what_systems_leave_behind_is_left_out() -> None:
    names = [f"{name}/{n}.png" for name in ("a", "b") for n in range(5)]
    layout = _of(*names, "__MACOSX/a/._1.png", "a/.DS_Store", ".hidden/x.png", "a/Thumbs.db")
    assert layout.left_out == {"hidden": 3, "not pictures by their names": 1}
    assert len(layout.placed) == 10


@pytest.mark.parametrize(("names", "message"), [
    (("a.txt", "b.csv"), "holds no pictures"),
    (("1.png", "2.png"), "lies in no folder"),
    (("cat/1.png", "cat/2.png"), "lies in no folder"),
    (("a/x/1.png", "a/y/1.png", "2.png"), "lies in no folder"),
    (("train/cat/1.png", "train/dog/1.png"), "neither test nor val"),
    (("train/cat/1.png", "test/cat/1.png"), "there is one class, 'cat'"),
    (("train/a/1.png", "train/b/1.png", "test/c/1.png"), "train does not have: c"),
    (("train/a/1.png", "train/b/1.png", "test/a/1.png", "extra/a/1.png"), "beside the splits"),
    (("train/a/1.png", "train/b/1.png", "test/a.png"), "or in no class"),
])  # fmt: skip
def test_what_is_no_data_set_is_told(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _of(*names)
