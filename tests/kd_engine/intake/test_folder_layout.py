"""Splits and classes from the folders of an archive."""

from __future__ import annotations

import pytest

from kd_engine.intake.archive import Member
from kd_engine.intake.folder_layout import Layout, lay_out
from kd_engine.schema.errors import DataError


def _of(*names: str, share: float = 0.2) -> Layout:
    def member(name: str) -> Member:
        return Member.of(name, 1, lambda: b"text" if name.endswith(("t", "csv")) else b"\0\1")

    return lay_out([member(name) for name in names], share)


def _counts(layout: Layout) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for placed in layout.placed:
        key = placed.split, layout.classes[placed.labels[0]]
        counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("test", ["test", "val", "Validation", "valid", "TEST"])
@pytest.mark.parametrize("prefix", ["", "photos/", "home/me/photos/"])
def test_splits_are_found_under_any_folders(test: str, prefix: str) -> None:
    names = [f"{prefix}train/{name}/{n}.jpg" for name in ("cat", "dog") for n in range(3)]
    layout = _of(*names, f"{prefix}{test}/dog/a.JPEG", f"{prefix}README.txt")
    assert layout.classes == ("cat", "dog")
    assert _counts(layout) == {("train", "cat"): 3, ("train", "dog"): 3, ("test", "dog"): 1}
    assert layout.left_out == {"not pictures by their content": 1}


def test_of_three_splits_each_stays_what_it_is() -> None:
    layout = _of("train/a/1.png", "train/b/1.png", "val/a/2.png", "test/a/3.png")
    assert _counts(layout) == {("train", "a"): 1, ("train", "b"): 1, ("validation", "a"): 1, ("test", "a"): 1}
    assert layout.notes == ()


def test_of_two_the_other_is_the_test_split_and_that_is_said_of_val() -> None:
    layout = _of("train/a/1.png", "train/b/1.png", "val/a/2.png")
    assert ("test", "a") in _counts(layout)
    assert "there is no test split: the validation split is the test" in layout.notes[0]


@pytest.mark.parametrize(("train", "test"), [
    ("seg_train/seg_train", "seg_test/seg_test"), ("training_set/training_set", "test_set"),
    ("trainset", "TestSet"), ("train_images", "test_images"), ("images/train2017", "images/test2017"),
])  # fmt: skip
def test_folders_that_name_a_split_in_other_words_are_no_classes(train: str, test: str) -> None:
    layout = _of(f"{train}/a/1.png", f"{train}/b/2.png", f"{test}/b/3.png", "seg_pred/seg_pred/4.png")
    assert _counts(layout) == {("train", "a"): 1, ("train", "b"): 1, ("test", "b"): 1}
    assert layout.notes[0] == "left out, as 'seg_pred' names no class: 1 pictures"


def test_a_split_may_lie_below_its_class() -> None:
    layout = _of("a/train/1.png", "a/test/2.png", "b/train/1.png", "b/test/2.png")
    assert _counts(layout) == {(split, name): 1 for split in ("train", "test") for name in "ab"}


def test_pictures_of_a_purpose_are_left_out_and_named() -> None:
    names = [f"covid/{name}/{what}/{n}.png" for name in ("a", "b") for what in ("images", "masks") for n in range(5)]
    layout = _of(*names)
    assert layout.classes == ("a", "b")
    assert not any("masks" in placed.member.name for placed in layout.placed)
    assert "left out, as 'masks' names no class: 10 pictures" in layout.notes


def test_numbers_are_sorted_as_numbers() -> None:
    assert _of(*[f"{name}/{n}.png" for name in range(12) for n in range(3)]).classes == tuple(map(str, range(12)))
    assert _of("10a/1.png", "9a/1.png", "10a/2.png", "9a/2.png").classes == ("10a", "9a")


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
    layout = _of(*[f"{name}/{name}-{day}/{n}.png" for name in ("a", "b") for day in ("mon", "tue") for n in range(5)])
    assert layout.classes == ("a", "b")
    assert len(layout.placed) == 20


def test_what_systems_leave_behind_is_left_out() -> None:
    names = [f"{name}/{n}.png" for name in ("a", "b") for n in range(5)]
    layout = _of(*names, "__MACOSX/a/._1.png", "a/.DS_Store", ".hidden/x.png", "a/Thumbs.db")
    assert layout.left_out == {"hidden": 3, "not pictures by their content": 1}
    assert len(layout.placed) == 10


@pytest.mark.parametrize(("names", "message"), [
    (("a.txt", "b.csv"), "holds no pictures"),
    (("1.png", "2.png"), r"lies in no folder .*; or, beside the pictures, a list of their labels \(\.csv"),
    (("cat/1.png", "cat/2.png"), "there is one class, 'cat'"),
    (("images/1.jpg", "images/2.jpg", "annotations/trimaps/1.png"),
     "lies in no folder that names a class. Left out as no class: 1 pictures in 'annotations'"),
    (("train_images/1.jpg", "test_images/2.jpg", "train.csv"), "Beside them lies 'train.csv'"),
    (("p/color/a/1.jpg", "p/color/b/1.jpg", "p/grayscale/a/1.jpg", "p/grayscale/b/1.jpg"), "hold folders of the same"),
    (("color/1.jpg", "grayscale/1.jpg"), "'color' would be a class, and is what folders are called"),
    (("x/a/1.jpg", "x/b/1.jpg", "y/a/1.jpg", "y/b/1.jpg"), "'x' and 'y' hold folders of the same names: a, b. Which"),
    (("a/1.jpg", "b/1.jpg", "holdout/a/1.jpg"), "'holdout' would be a class, and holds folders that are classes"),
    (("a/b/c/1.jpg", "d/1.jpg"), "lies 2 folders below 'a': is 'a' its class, or 'c'"),
    (("train/val/a/1.jpg", "train/b/1.jpg"), "lies in train and validation at once"),
    (("test/a/1.jpg", "test/b/1.jpg"), "all pictures are of test; there is no train"),
    (("a/1.png", "b/1.png", "c/1.raw"), "1 of 1 files in 'c' are no pictures by their content"),
    (("a/1.png", "a/2.bin", "b/1.png"), r"1 of 2 files in 'a' are no pictures by their content, among them a/2.bin"),
    (("a/x/1.png", "a/y/1.png", "2.png"), "lies in no folder"),
    (("train/cat/1.png", "train/dog/1.png"), "neither test nor validation"),
    (("train/cat/1.png", "test/cat/1.png"), "there is one class, 'cat'"),
    (("train/a/1.png", "train/b/1.png", "test/c/1.png"), "train does not have: c"),
    (("train/a/1.png", "train/b/1.png", "test/a/1.png", "extra/a/1.png"), "beside the splits"),
    (("train/a/1.png", "train/b/1.png", "test/a.png"), "lies in no folder"),
])  # fmt: skip
def test_what_is_no_data_set_is_told(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _of(*names)


def test_what_may_have_been_pictures_is_left_out_where_that_is_asked_for() -> None:
    members = [Member.of(name, 1, lambda: b"\0\1") for name in ("a/1.png", "a/2.png", "a/3.heif", "b/1.png", "b/2.png")]
    layout = lay_out(members, 0.5, keep_going=True)
    assert layout.classes == ("a", "b")
    assert any("among them a/3.heif" in note for note in layout.notes)
