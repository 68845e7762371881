"""A whole check of an archive of pictures, and the data set that jobs then read."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from kd_engine.catalog.dataset_params import ImageFolderParams, UploadedParams
from kd_engine.data.dataset import load
from kd_engine.data.readers import image_folder, uploaded
from kd_engine.intake import images
from kd_engine.intake.archive import Archive
from kd_engine.intake.contact_sheet import COLUMNS, MOST_ROWS
from kd_engine.intake.folder_layout import lay_out
from kd_engine.intake.images import WhatOfBroken, check_pictures
from kd_engine.jobspec import DatasetSpec
from kd_engine.platform.files import sha256_of
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.archives import by_class, picture, tarred, zipped


def _check(path: Path, out: Path, broken: WhatOfBroken = "refuse", test_share: float = 0.2) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    is_tar = path.suffix != ".zip"
    archive = Archive(path, is_tar=is_tar)
    contents = check_pictures(archive, lay_out(archive.members, test_share), out, broken=broken)
    return contents.model_dump(mode="json")


def _split(pictures: int = 6) -> dict[str, bytes]:
    train = by_class(pictures, prefix="pets/train/")
    return train | {"pets/test/cat/a.png": picture(5000), "pets/test/dog/b.jpg": picture(5001, form="JPEG")}


def test_the_manifest_counts_what_is_there(tmp_path: Path) -> None:
    manifest = _check(zipped(tmp_path / "a.zip", _split()), tmp_path / "out")
    assert manifest["classes"] == ["cat", "dog"]
    assert manifest["splits"] == {
        "train": {"images": 12, "by_class": [6, 6]}, "test": {"images": 2, "by_class": [1, 1]},
    }  # fmt: skip
    assert manifest["sizes"]["height"] == {"smallest": 24, "median": 24, "largest": 24}
    assert manifest["default_size"] == [24, 24]
    assert manifest["duplicates"]["pictures"] == 0
    assert json.loads(json.dumps(manifest)) == manifest


def test_mean_and_std_are_those_of_the_train_pictures(tmp_path: Path) -> None:
    manifest = _check(zipped(tmp_path / "a.zip", _split()), tmp_path / "out")
    pixels = np.stack([
        np.random.default_rng(1000 * label + n).integers(0, 256, (24, 36, 3), dtype=np.uint8)
        for label in range(2) for n in range(6)
    ]) / 255  # fmt: skip
    assert manifest["mean"] == pytest.approx(pixels.mean(axis=(0, 1, 2)).tolist(), abs=1e-6)
    assert manifest["std"] == pytest.approx(pixels.std(axis=(0, 1, 2)).tolist(), abs=1e-6)


@pytest.mark.parametrize("form", ["a.zip", "a.tar.gz"])
def test_jobs_read_what_was_sent(tmp_path: Path, form: str) -> None:
    """Pixel for pixel what the reader of folders reads from the same folder."""
    files = _split()
    path = tmp_path / form
    manifest = _check(zipped(path, files) if form.endswith("zip") else tarred(path, files), tmp_path / "out")
    for name, content in files.items():
        target = tmp_path / "plain" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    prepared = tmp_path / "out" / "dataset.tar"
    params = UploadedParams(
        id="ds_1", height=16, width=20, sha256=sha256_of(prepared), layout="image_folder", channels=3,
        classes=tuple(manifest["classes"]), train=12,
    )  # fmt: skip
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        found = uploaded.read(prepared, params, cache)
        plain = image_folder.read(tmp_path / "plain", ImageFolderParams(folder="pets", height=16, width=20), None)
        assert found.classes == plain.classes
        for part in ("train_images", "train_labels", "test_images", "test_labels"):
            assert torch.equal(getattr(found, part), getattr(plain, part)), part


def test_a_stored_file_that_was_damaged_is_not_read(tmp_path: Path) -> None:
    _check(zipped(tmp_path / "a.zip", _split()), tmp_path / "out")
    params = UploadedParams(
        id="ds_1", height=16, width=20, sha256="0" * 64, layout="image_folder", channels=3, classes=("a", "b"), train=12
    )
    with pytest.raises(DataError, match="damaged"):
        uploaded.read(tmp_path / "out" / "dataset.tar", params, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.png"))


def test_samples_are_listed_as_jobs_count_them(tmp_path: Path) -> None:
    files = _split()
    _check(zipped(tmp_path / "a.zip", dict(reversed(files.items()))), tmp_path / "out")
    with (tmp_path / "out" / "samples.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    assert [int(row["sample"]) for row in rows] == list(range(12))
    assert [row["class"] for row in rows] == ["cat"] * 6 + ["dog"] * 6
    with tarfile.open(tmp_path / "out" / "dataset.tar") as prepared:
        written = [name for name in sorted(prepared.getnames()) if name.startswith("train/")]
        contents = [file.read() for name in written if (file := prepared.extractfile(name))]
    assert contents == [files[row["file"]] for row in rows]


def test_broken_pictures_are_all_named_and_refused(tmp_path: Path) -> None:
    files = _split() | {"pets/train/cat/bad.png": b"nothing", "pets/train/dog/cut.png": picture(9)[:200]}
    with pytest.raises(DataError, match=r"2 of 16 pictures.*cat/bad\.png.*dog/cut\.png.*broken=skip"):
        _check(zipped(tmp_path / "a.zip", files), tmp_path / "out")
    assert not (tmp_path / "out" / "dataset.tar").exists()


def test_what_is_no_picture_is_told_without_a_place_in_memory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bad\.png \(it is none of AVIF, .*, by its content\)") as caught:
        _check(zipped(tmp_path / "a.zip", _split() | {"pets/train/cat/bad.png": b"nothing"}), tmp_path / "out")
    assert " at 0x" not in str(caught.value)


def test_broken_pictures_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    files = _split() | {"pets/train/cat/bad.png": b"nothing"}
    manifest = _check(zipped(tmp_path / "a.zip", files), tmp_path / "out", broken="skip")
    assert manifest["splits"]["train"]["images"] == 12
    assert [entry["file"] for entry in manifest["broken"]["listed"]] == ["pets/train/cat/bad.png"]


def test_a_class_of_broken_pictures_alone_is_refused(tmp_path: Path) -> None:
    files = by_class(3, prefix="train/") | {"train/bird/x.png": b"x", "test/cat/a.png": picture(77)}
    with pytest.raises(DataError, match="no picture to train on can be used in: bird"):
        _check(zipped(tmp_path / "a.zip", files), tmp_path / "out", broken="skip")


def test_duplicates_are_found_by_their_pixels(tmp_path: Path) -> None:
    files = _split()
    files["pets/test/cat/again.bmp"] = picture(3, form="BMP")  # as train/cat/03.png
    files["pets/train/dog/mistaken.png"] = files["pets/train/cat/05.png"]
    found = _check(zipped(tmp_path / "a.zip", files), tmp_path / "out")["duplicates"]
    assert found["pictures"] == 2
    assert found["across_splits"]["count"] == 1
    assert [entry["file"] for entry in found["across_splits"]["listed"][0]] == [
        "pets/train/cat/03.png", "pets/test/cat/again.bmp",
    ]  # fmt: skip
    assert {entry["class"] for entry in found["under_two_classes"]["listed"][0]} == {"cat", "dog"}


def _spot(top: int, left: int) -> bytes:
    """A large white picture with one black square."""
    pixels = np.full((200, 200, 3), 255, np.uint8)
    pixels[top : top + 8, left : left + 8] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_pictures_that_differ_in_where_things_are_are_no_duplicates(tmp_path: Path) -> None:
    """As often each value, and equal rows almost everywhere: only a look at all pixels tells them apart."""
    files = by_class(2, prefix="train/") | {"test/cat/a.png": picture(5000)}
    files |= {f"train/dog/spot{left}.png": _spot(20, left) for left in (20, 40, 60)}
    files["test/dog/again.png"] = files["train/dog/spot40.png"]
    found = _check(zipped(tmp_path / "a.zip", files), tmp_path / "out")["duplicates"]
    assert found["pictures"] == 1
    assert [entry["file"] for entry in found["across_splits"]["listed"][0]] == [
        "train/dog/spot40.png", "test/dog/again.png",
    ]  # fmt: skip


def test_there_is_a_page_of_thumbnails(tmp_path: Path) -> None:
    _check(zipped(tmp_path / "a.zip", _split(12)), tmp_path / "out")
    with Image.open(tmp_path / "out" / "thumbnails.png") as page:
        page.load()
        assert page.height < 200 < page.width
        assert len(page.getcolors(10**6) or []) > 100


def test_no_more_thumbnails_are_kept_than_the_page_has_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(
        images, "draw_sheet", lambda classes, thumbnails, path: kept.extend(map(len, thumbnails.values()))
    )
    names = tuple(f"{number:03}" for number in range(MOST_ROWS + 5))
    files = {f"train/{name}/{number}.png": picture() for name in names[1:] for number in range(2)}
    files |= {f"train/{names[0]}/{number}.png": picture() for number in range(COLUMNS + 5)}
    _check(zipped(tmp_path / "a.zip", files | {f"test/{names[0]}/1.png": picture()}), tmp_path / "out")
    assert sorted(kept) == [2] * (MOST_ROWS - 1) + [COLUMNS]


def test_a_class_may_be_called_anything_that_can_be_shown(tmp_path: Path) -> None:
    names = ("CON", "Größe & Gewicht", "<b>bold")
    manifest = _check(zipped(tmp_path / "a.zip", by_class(5, names)), tmp_path / "out")
    assert manifest["classes"] == sorted(names)
    with tarfile.open(tmp_path / "out" / "dataset.tar") as prepared:
        assert all(name.isascii() and "<" not in name for name in prepared.getnames())


def test_three_splits_reach_jobs_as_three(tmp_path: Path) -> None:
    files = _split()
    files |= {f"pets/val/{name}/v.jfif": picture(6000 + n, form="JPEG") for n, name in enumerate(["cat", "dog"])}
    manifest = _check(zipped(tmp_path / "a.zip", files), tmp_path / "out")
    assert manifest["splits"]["validation"] == {"images": 2, "by_class": [1, 1]}
    prepared = tmp_path / "out" / "dataset.tar"
    params = {
        "id": "ds_1", "height": 16, "width": 20, "sha256": sha256_of(prepared), "layout": "image_folder", "channels": 3,
        "classes": manifest["classes"], "train": 12, "validation": 2,
    }  # fmt: skip
    asked = DatasetSpec.model_validate({"name": "uploaded", "params": params})
    data = load(asked.resolved(), tmp_path, download=False, dataset_file=prepared)
    assert [len(data.train), len(data.validation), len(data.test)] == [12, 2, 2]
    assert asked.resolved().validation == 2
    with pytest.raises(ValidationError, match="brings its own 2 images for validation"):
        DatasetSpec.model_validate({"name": "uploaded", "params": params, "validation": 0.2})


def test_copies_stay_on_one_side_of_a_split_that_is_drawn_here(tmp_path: Path) -> None:
    """In several formats, and with mean and std of what is in train then."""
    files = {
        f"{name}/{n:02}.{form.lower()}": picture(100 * label + n // 2, form=form)
        for label, name in enumerate(["cat", "dog"]) for n in range(20) for form in ("PNG", "BMP")
    }  # fmt: skip
    manifest = _check(zipped(tmp_path / "a.zip", files), tmp_path / "out")
    assert manifest["duplicates"]["across_splits"]["count"] == 0
    assert manifest["splits"]["test"] == {"images": 16, "by_class": [8, 8]}
    assert any("equal pictures were put on one side" in note for note in manifest["notes"])
    with tarfile.open(tmp_path / "out" / "dataset.tar") as prepared:
        train = [name for name in prepared.getnames() if name.startswith("train/")]
        pixels = [np.asarray(Image.open(file)) for name in train if (file := prepared.extractfile(name))]
    assert manifest["splits"]["train"]["images"] == len(pixels) == 64
    assert manifest["mean"] == pytest.approx((np.stack(pixels) / 255).mean(axis=(0, 1, 2)).tolist(), abs=1e-6)


def test_what_the_splits_do_not_allow_to_say_is_told(tmp_path: Path) -> None:
    files = by_class(3, prefix="train/") | {"train/bird/1.png": picture(70), "test/cat/a.png": picture(77)}
    notes = _check(zipped(tmp_path / "a.zip", files), tmp_path / "out")["notes"]
    assert notes == [
        "test has 1 images: an accuracy on so few is known to 50 points either way, too little for most comparisons",
        "test has no images of bird, dog: what is measured there says nothing of these classes",
        "train has a single image of bird: it stays in train, and little can be learnt of it",
    ]


def test_a_class_that_loses_most_of_its_pictures_is_refused(tmp_path: Path) -> None:
    files = _split() | {f"pets/train/cat/{n:02}.png": b"nothing" for n in range(4)}
    with pytest.raises(DataError, match="more than half of the pictures to train on cannot be used in: cat"):
        _check(zipped(tmp_path / "a.zip", files), tmp_path / "out", broken="skip")
