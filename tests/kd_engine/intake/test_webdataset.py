"""Pictures with a file of the same name that holds their label, and archives in an archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kd_engine.intake.folder_layout import Layout, lay_out
from kd_engine.intake.images import check_pictures
from kd_engine.intake.nested import opened
from kd_engine.intake.webdataset import lay_out_samples
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.archives import by_class, picture, tarred, zipped

PICTURES = [picture(number) for number in range(10)]


def _samples(start: int, end: int, end_of_label: str = "cls", folder: str = "") -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for number in range(start, end):
        label = json.dumps({"label": number % 2, "caption": "x"}) if end_of_label == "json" else f"{number % 2}\n"
        files |= {f"{folder}{number:06}.{end_of_label}": label.encode(), f"{folder}{number:06}.jpg": PICTURES[number]}
    return files


def _layout(path: Path, scratch: Path, *, is_tar: bool = False) -> Layout | None:
    with opened(path, scratch, is_tar=is_tar) as archive:
        return lay_out_samples(archive, 0.2)


@pytest.mark.parametrize("end", ["cls", "json"])
def test_a_shard(tmp_path: Path, end: str) -> None:
    path = tarred(tmp_path / "a", _samples(0, 10, end), "w")
    layout = _layout(path, tmp_path, is_tar=True)
    assert layout is not None
    assert layout.classes == ("0", "1")
    assert {placed.member.name: placed.labels[0] for placed in layout.placed} == {
        f"00000{n}.jpg": n % 2 for n in range(10)
    }
    assert sum(placed.split == "test" for placed in layout.placed) == 2
    assert layout.left_out == {}


def _shard(path: Path, *files: Any, mode: str = "w") -> bytes:
    return tarred(path / "shard", *files, mode).read_bytes()


def test_shards_of_splits_whose_samples_are_called_alike(tmp_path: Path) -> None:
    same = {name: (PICTURES[9] if name.endswith(".jpg") else b"1") for name in _samples(0, 1)}
    path = zipped(tmp_path / "a", {
        "imagenet-train-0000.tar": _shard(tmp_path, _samples(0, 4)),
        "imagenet-train-0001.tar.gz": _shard(tmp_path, same, mode="w:gz"),
        "imagenet-val-0000.tar": _shard(tmp_path, _samples(4, 6)),
        "imagenet-test-0000.tar": _shard(tmp_path, _samples(6, 8)),
        "README.md": b"# Shards",
    })  # fmt: skip
    (tmp_path / "out").mkdir()
    with opened(path, tmp_path / "out", is_tar=False) as archive:
        layout = lay_out_samples(archive, 0.2)
        assert layout is not None
        manifest = check_pictures(archive, layout, tmp_path / "out", broken="refuse")
    assert manifest.model_dump(mode="json")["splits"] == {
        "train": {"images": 5, "by_class": [2, 3]},
        "validation": {"images": 2, "by_class": [1, 1]},
        "test": {"images": 2, "by_class": [1, 1]},
    }
    rows = (tmp_path / "out" / "samples.csv").read_text().splitlines()
    assert "train,4,1,imagenet-train-0001/000000.jpg" in rows
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {"dataset.tar", "samples.csv", "thumbnails.png"}


def test_archives_of_splits_are_folders_of_their_names(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a", {
        "train.zip": zipped(tmp_path / "b", by_class(3)).read_bytes(),
        "test.zip": zipped(tmp_path / "b", by_class(2)).read_bytes(),
        "submission.csv": b"x",
    })  # fmt: skip
    with opened(path, tmp_path, is_tar=True) as archive:
        layout = lay_out(archive.members, 0.2)
        assert [len([one for one in layout.placed if one.split == split]) for split in ("train", "test")] == [6, 4]
        assert len(dict(archive.contents(archive.members))) == 11


def test_masks_of_samples_are_left_out(tmp_path: Path) -> None:
    masks = {f"{number:06}.seg.png": PICTURES[0] for number in range(10)}
    layout = _layout(zipped(tmp_path / "a", _samples(0, 10) | masks), tmp_path)
    assert layout is not None
    assert len(layout.placed) == 10
    assert layout.left_out == {"other pictures of a sample": 10}


def test_annotations_in_the_folders_of_classes_are_no_labels(tmp_path: Path) -> None:
    beside = {f"{name}/{number:02}.json": b'{"label": "x"}' for name in ("cat", "dog") for number in range(3)}
    assert _layout(zipped(tmp_path / "a", by_class(3) | beside), tmp_path) is None
    other = {name.replace(".cls", ".json"): b'{"shapes": []}' if name.endswith(".cls") else content
             for name, content in _samples(0, 4).items()}  # fmt: skip
    assert _layout(zipped(tmp_path / "a", other), tmp_path) is None


GIVEN = _samples(0, 4)


@pytest.mark.parametrize(("files", "message"), [
    (GIVEN | {"5.jpg": PICTURES[5]}, r"1 of 5 pictures have no file with their label .*000000\.cls.*among them 5\.jpg"),
    (GIVEN | {"000001.png": PICTURES[5]}, "two pictures of one sample"),
    (GIVEN | {"000001.cls": b" "}, "'000001.cls' holds no label"),
    (_samples(0, 4, "json") | {"000003.json": b'{"label": [1]}'}, "holds no label; .* under label, cls, class"),
    (_samples(0, 4, folder="train/") | _samples(0, 4), "is of no split, and others are"),
    (_samples(0, 4, folder="train/val/"), "lies in train and val"),
    ({"a.tar": b"nothing"}, "expected a zip or tar archive"),
    ({"train.tar": b"", "train.zip": b""}, "'train.tar' in the archive is empty"),
])  # fmt: skip
def test_what_is_no_shard_is_told(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _layout(zipped(tmp_path / "a", files), tmp_path)


def test_archives_that_would_be_one_folder_are_told(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "b", by_class(1)).read_bytes()
    with pytest.raises(DataError, match=r"'train\.tar' and 'train\.zip' would be the same folder"):
        _layout(zipped(tmp_path / "a", {"train.zip": inner, "train.tar": inner}), tmp_path)
