"""Folders of pictures: classes by folder, decoded once, and nothing outside the data folder is ever read."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from kd_engine.catalog.dataset_params import ImageFolderParams
from kd_engine.data.dataset import Dataset, RawData, load
from kd_engine.data.readers.image_folder import read
from kd_engine.images import decode, decode_cache
from kd_engine.jobspec import DatasetSpec
from kd_engine.schema.errors import DataError

SIDE = 12


def paint(path: Path, seed: int = 0, size: tuple[int, int] = (20, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """`pets` with two classes: three and four pictures to train on, two and one to test on."""
    folder = tmp_path / "data"
    for number in range(3):
        paint(folder / "pets" / "train" / "cat" / f"{number}.png", number)
    for number in range(4):
        paint(folder / "pets" / "train" / "dog" / f"{number}.png", 10 + number)
    paint(folder / "pets" / "val" / "cat" / "a.png", 20)
    paint(folder / "pets" / "val" / "cat" / "b.png", 21)
    paint(folder / "pets" / "val" / "dog" / "a.png", 22)
    return folder


def params(folder: str = "pets", side: int = SIDE) -> ImageFolderParams:
    return ImageFolderParams(folder=folder, height=side, width=side + 2)


def loaded(data_dir: Path, cache_dir: Path | None = None, **changes: Any) -> Dataset:
    body = {"name": "image_folder", "params": {"folder": "pets", "height": SIDE, "width": SIDE}} | changes
    return load(DatasetSpec.model_validate(body).resolved(), data_dir, False, cache_dir)


def same(first: RawData, second: RawData) -> bool:
    return torch.equal(first.train_images, second.train_images) and torch.equal(first.test_images, second.test_images)


class TestRead:
    def test_classes_and_pictures_by_name_resized_as_pillow_does(self, data_dir: Path) -> None:
        raw = read(data_dir, params(), None)

        assert raw.classes == ("cat", "dog")
        assert raw.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
        assert raw.test_labels.tolist() == [0, 0, 1]
        assert raw.train_images.shape == (7, 3, SIDE, SIDE + 2)
        with Image.open(data_dir / "pets" / "train" / "dog" / "2.png") as image:
            expected = np.asarray(image.resize((SIDE + 2, SIDE), Image.Resampling.BILINEAR))
        assert np.array_equal(raw.train_images[5].permute(1, 2, 0).numpy(), expected)

    def test_a_test_folder_does_where_there_is_no_val(self, data_dir: Path) -> None:
        before = read(data_dir, params(), None)
        (data_dir / "pets" / "val").rename(data_dir / "pets" / "test")

        assert same(read(data_dir, params(), None), before)

    @pytest.mark.parametrize("name", ["val", "validation", "valid"])
    def test_of_three_splits_each_is_what_its_name_says(self, data_dir: Path, name: str) -> None:
        paint(data_dir / "pets" / "test" / "dog" / "t.png", 30)
        (data_dir / "pets" / "val").rename(data_dir / "pets" / name)

        data = loaded(data_dir)

        assert [len(data.train), len(data.validation), len(data.test)] == [7, 3, 1]

    def test_a_picture_is_one_by_its_content_and_a_lost_class_is_told(self, data_dir: Path) -> None:
        cat = data_dir / "pets" / "train" / "cat"
        paint(cat / "x.jpg").rename(cat / "x.jfif")
        assert len(read(data_dir, params(), None).train_labels) == 8
        (cat / "y.raw").write_bytes(b"\0\1")
        with pytest.raises(DataError, match=r"train/cat holds 4 pictures, and 1 files that are none .*: y\.raw"):
            read(data_dir, params(), None)

    def test_numbers_are_classes_in_the_order_of_numbers(self, data_dir: Path) -> None:
        for number in (10, 9, 2):
            paint(data_dir / "n" / "train" / str(number) / "1.png", number)
            paint(data_dir / "n" / "val" / str(number) / "1.png", 50 + number)
        raw = read(data_dir, params("n"), None)
        assert raw.classes == ("2", "9", "10")
        assert raw.train_labels.tolist() == [0, 1, 2]

    @pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
    def test_every_kind_of_pixel_becomes_colour(self, data_dir: Path, mode: str) -> None:
        path = data_dir / "pets" / "val" / "dog" / ("b.tif" if mode == "CMYK" else "b.png")
        Image.new("RGB", (30, 30), (255, 255, 255)).convert(mode).save(path)

        image = read(data_dir, params(), None).test_images[3]

        assert image.shape == (3, SIDE, SIDE + 2)
        assert int(image.min()) >= 250

    def test_pictures_are_turned_upright(self, data_dir: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 3  # upside down
        path = data_dir / "pets" / "val" / "dog" / "a.png"
        with Image.open(path) as image:
            image.save(data_dir / "pets" / "val" / "dog" / "b.png", exif=exif)

        images = read(data_dir, params(), None).test_images

        difference = images[3].flip(1, 2).short() - images[2].short()
        assert int(difference.abs().max()) <= 1  # Pillow's resizing is not quite symmetric

    def test_hidden_files_and_others_are_left_out(self, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
        (data_dir / "pets" / "train" / "cat" / ".DS_Store").write_bytes(b"x")
        (data_dir / "pets" / "train" / ".cache").mkdir()
        (data_dir / "pets" / "train" / "cat" / "notes.txt").write_text("x")

        assert len(read(data_dir, params(), None).train_labels) == 7
        assert "pets/train/cat: 1 files are no pictures" in caplog.text


class TestCache:
    def test_the_second_run_decodes_nothing(
        self, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = read(data_dir, params(), tmp_path / "cache")
        monkeypatch.setattr(decode, "decode", None)
        second = read(data_dir, params(), tmp_path / "cache")

        assert same(first, second)
        monkeypatch.undo()
        assert same(first, read(data_dir, params(), None))

    def test_it_is_keyed_by_content_and_size(self, data_dir: Path, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        before = read(data_dir, params(), cache)
        read(data_dir, params(side=SIDE + 1), cache)
        os.utime(data_dir / "pets" / "val" / "dog" / "a.png", (0, 0))
        read(data_dir, params(), cache)
        assert len(list((cache / "pictures").iterdir())) == 2

        paint(data_dir / "pets" / "val" / "dog" / "a.png", 99)
        after = read(data_dir, params(), cache)

        assert len(list((cache / "pictures").iterdir())) == 3
        assert torch.equal(before.train_images, after.train_images)
        assert not torch.equal(before.test_images, after.test_images)

    @pytest.mark.parametrize("damage", ["flip", "cut", "index", "unfinished"])
    def test_a_damaged_entry_is_made_again(
        self, data_dir: Path, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = read(data_dir, params(), tmp_path / "cache")
        sound = [image.clone() for image in before.train_images]
        [entry] = (tmp_path / "cache" / "pictures").iterdir()
        if damage == "flip":
            content = bytearray((entry / "train.npy").read_bytes())
            content[-1] ^= 1
            (entry / "train.npy").write_bytes(content)
        elif damage == "cut":
            (entry / "train.npy").write_bytes((entry / "train.npy").read_bytes()[:100])
        elif damage == "index":
            (entry / "index.json").write_text("{")
        else:
            (entry / "index.json").unlink()

        after = read(data_dir, params(), tmp_path / "cache")

        assert torch.equal(after.train_images, torch.stack(sound))
        assert ("damaged" in caplog.text) == (damage != "unfinished")

    def test_writing_to_the_images_does_not_change_the_cache(self, data_dir: Path, tmp_path: Path) -> None:
        before = read(data_dir, params(), None)
        read(data_dir, params(), tmp_path / "cache").test_images.zero_()

        assert same(read(data_dir, params(), tmp_path / "cache"), before)

    def test_progress_is_told(self, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            read(data_dir, params(), None)

        assert "decoded 7 of 7 pictures" in caplog.text

    def test_a_file_that_changes_meanwhile_is_found(self, data_dir: Path) -> None:
        [picture] = decode.identify([(data_dir / "pets" / "val" / "dog" / "a.png", "a.png")])
        paint(picture.path, 5)

        with pytest.raises(DataError, match=r"a\.png was changed while it was read"):
            decode.decode(picture, 4, 4)

    def test_a_failed_run_leaves_no_part_of_an_entry(
        self, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> Any:
            raise DataError("stop")

        monkeypatch.setattr(decode_cache, "decode_all", broken)
        with pytest.raises(DataError, match="stop"):
            read(data_dir, params(), tmp_path / "cache")

        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "it is none of AVIF"),
            (b"<html>", "it is none of AVIF"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is none of AVIF"),
        ],
    )
    def test_what_is_no_picture_is_named(self, data_dir: Path, content: bytes, reason: str) -> None:
        (data_dir / "pets" / "train" / "dog" / "x.png").write_bytes(content)

        with pytest.raises(DataError) as caught:
            read(data_dir, params(), None)

        assert str(caught.value).startswith("pets/train/dog/x.png cannot be used: ")
        assert reason in str(caught.value)

    def test_a_truncated_picture_is_named(self, data_dir: Path) -> None:
        path = paint(data_dir / "pets" / "train" / "dog" / "x.jpg", size=(200, 200))
        path.write_bytes(path.read_bytes()[:-2000])

        with pytest.raises(DataError, match=r"^pets/train/dog/x\.jpg cannot be used: .*truncated"):
            read(data_dir, params(), None)

    @pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM", "JPEG2000"])
    def test_sixteen_bits_of_grey_are_taken_as_those_of_colour(self, data_dir: Path, form: str) -> None:
        path = data_dir / "pets" / "val" / "dog" / "b.png"
        Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(path, form)

        assert read(data_dir, params(), None).test_images[3].unique().tolist() == [40_000 >> 8]

    def test_other_numbers_are_refused(self, data_dir: Path) -> None:
        Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(data_dir / "pets" / "train" / "dog" / "x.tif")

        with pytest.raises(DataError, match="expected eight bits a colour, or 16 of grey"):
            read(data_dir, params(), None)

    @pytest.mark.parametrize("form", ["AVIF", "JPEG2000", "TGA", "MPO"])
    def test_a_picture_is_read_by_its_content(self, data_dir: Path, form: str) -> None:
        path = data_dir / "pets" / "val" / "dog" / ("b.tga" if form == "TGA" else "b.jfif")
        Image.new("RGB", (40, 30), (200, 30, 60)).save(path, form)

        image = read(data_dir, params(), None).test_images[3]

        assert (image.float().mean(dim=(1, 2)) - torch.tensor([200, 30, 60])).abs().max() < 4

    def test_heic_is_told(self, data_dir: Path) -> None:
        (data_dir / "pets" / "val" / "dog" / "b.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(90))

        with pytest.raises(DataError, match=r"b\.HEIC cannot be used: it is HEIC, .*save it as JPEG or PNG"):
            read(data_dir, params(), None)

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
    def test_what_shows_through_is_on_white(self, data_dir: Path, mode: str) -> None:
        image = Image.new("LA" if mode == "LA" else "RGBA", (40, 30), (0, 0) if mode == "LA" else (0, 0, 0, 0))
        image.convert(mode).save(
            data_dir / "pets" / "val" / "dog" / "b.png", **({"transparency": 0} if mode == "P" else {})
        )

        assert int(read(data_dir, params(), None).test_images[3].min()) == 255

    def test_grey_pictures_may_stay_grey(self, data_dir: Path, tmp_path: Path) -> None:
        grey = {"params": {"folder": "pets", "height": SIDE, "width": SIDE, "channels": 1}}
        colour, plain = loaded(data_dir, tmp_path), loaded(data_dir, tmp_path, **grey)

        assert plain.shape == (1, SIDE, SIDE)
        assert plain.facts is not None
        assert len(plain.facts.mean or ()) == 1
        red, green, blue = colour.test.images_NCHW.float().unbind(dim=1)
        expected = 0.299 * red + 0.587 * green + 0.114 * blue
        assert (plain.test.images_NCHW[:, 0].float() - expected).abs().max() <= 1

    def test_a_huge_picture_is_not_decoded(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decode, "_MOST_PIXELS", 300)

        with pytest.raises(DataError, match="it has 20 x 16 pixels; at most 300 are taken"):
            read(data_dir, params(), None)

    def test_folders_that_are_missing_or_empty(self, data_dir: Path) -> None:
        cases: list[tuple[Callable[[], object], str]] = [
            (lambda: (data_dir / "pets" / "train" / "empty").mkdir(), "pets/train/empty holds no pictures"),
            (
                lambda: (data_dir / "pets" / "train" / "empty").rename(data_dir / "pets" / "val" / "owl"),
                "val/owl holds",
            ),
            (lambda: paint(data_dir / "pets" / "val" / "owl" / "a.png"), "classes that train does not have: owl"),
            (lambda: (data_dir / "pets" / "val").rename(data_dir / "pets" / "vla"), "has no val or test; add it"),
            (lambda: (data_dir / "pets").rename(data_dir / "dogs"), "params.folder is 'pets', which is not a folder"),
        ]
        for change, message in cases:
            change()
            with pytest.raises(DataError) as caught:
                read(data_dir, params(), None)
            assert message in str(caught.value)
            assert str(data_dir) not in str(caught.value)

    def test_one_class_is_none(self, data_dir: Path) -> None:
        for part in ("train", "val"):
            (data_dir / "pets" / part / "dog").rename(data_dir / f"dog-{part}")

        with pytest.raises(DataError, match="pets/train holds one class, 'cat'; expected at least two"):
            read(data_dir, params(), None)

    @pytest.mark.parametrize("at", ["train/cat/x.png", "train/owl", "val"])
    @pytest.mark.parametrize("target", ["secret", "nothing"])
    def test_links_that_lead_out_are_not_followed(self, data_dir: Path, tmp_path: Path, at: str, target: str) -> None:
        paint(tmp_path / "secret" / "owl" / "a.png")
        place = data_dir / "pets" / at
        if at == "val":
            place.rename(data_dir / "old")
        place.symlink_to(tmp_path / target / ("owl/a.png" if at.endswith(".png") else "owl"))

        with pytest.raises(DataError, match=r"leads out of its data set|has no val or test"):
            read(data_dir, params(), None)

    def test_links_within_the_data_set_are_followed(self, data_dir: Path) -> None:
        (data_dir / "pets" / "train" / "cat" / "x.png").symlink_to(data_dir / "pets" / "train" / "dog" / "0.png")

        raw = read(data_dir, params(), None)

        assert torch.equal(raw.train_images[3], raw.train_images[4])

    def test_a_data_set_may_itself_be_a_link_of_the_administrator(self, data_dir: Path, tmp_path: Path) -> None:
        (data_dir / "pets").rename(tmp_path / "elsewhere")
        (data_dir / "pets").symlink_to(tmp_path / "elsewhere")

        assert len(read(data_dir, params(), None).train_labels) == 7

    def test_a_link_below_the_first_part_of_the_name_is_not(self, data_dir: Path, tmp_path: Path) -> None:
        (data_dir / "pets").rename(tmp_path / "pets")
        (data_dir / "group").mkdir()
        (data_dir / "group" / "pets").symlink_to(tmp_path / "pets")

        assert "is not a folder" in (params("group/pets").absence(data_dir) or "")
        with pytest.raises(DataError, match="is not a folder"):
            read(data_dir, params("group/pets"), None)

    @pytest.mark.parametrize(
        "folder",
        ["", ".", "..", "../data/pets", "pets/..", "pets/../pets", "/etc", "pets/", "//pets", "pets//train", ".hidden",
         "pets\0", "pets\n", "pets\\..", "~", "-rf", "a/.b", "%2e%2e", "x" * 201, "C:pets", " pets"],
    )  # fmt: skip
    def test_names_that_are_no_plain_relative_path(self, folder: str) -> None:
        with pytest.raises(ValidationError):
            params(folder)

    @pytest.mark.parametrize("folder", ["pets", "flower_photos", "a/b c/d-1.0", "Blumen/Möhre", "v1.2"])
    def test_names_that_are(self, folder: str) -> None:
        assert params(folder).folder == folder


class TestLoad:
    def test_all_is_known_once_it_is_read(self, data_dir: Path) -> None:
        data = loaded(data_dir, validation=2)

        assert data.facts is not None
        assert data.facts.classes == data.classes == ("cat", "dog")
        assert data.facts.shape == data.shape == (3, SIDE, SIDE)
        assert data.facts.train == 7
        assert [len(data.train), len(data.validation), len(data.test)] == [5, 2, 3]
        pixels = data.train.images_NCHW.double() / 255
        assert data.facts.mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist(), abs=1e-6)
        assert data.facts.std == pytest.approx(pixels.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-6)

    def test_a_tenth_is_held_out_by_default(self, data_dir: Path) -> None:
        assert len(loaded(data_dir).validation) == 1

    def test_mean_and_std_that_were_given_are_not_measured(self, data_dir: Path) -> None:
        data = loaded(data_dir, mean=[0.5] * 3, std=[0.2] * 3)

        assert data.facts is not None
        assert data.facts.mean is None

    def test_the_checksum_is_of_the_names_of_the_classes_too(self, data_dir: Path, tmp_path: Path) -> None:
        before = loaded(data_dir, tmp_path / "cache").sha256
        assert loaded(data_dir).sha256 == before
        for part in ("train", "val"):
            (data_dir / "pets" / part / "dog").rename(data_dir / "pets" / part / "hound")

        assert loaded(data_dir).sha256 != before
