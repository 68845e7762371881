"""A user's own arrays: either layout of channels, either kind of file, and no surprise gets through."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kd_engine.catalog.dataset_params import ArraysParams
from kd_engine.data.dataset import Dataset, load
from kd_engine.data.readers import arrays
from kd_engine.data.readers.arrays import read
from kd_engine.data.splits import VALIDATION_SEED, held_out
from kd_engine.jobspec import DatasetSpec
from kd_engine.schema.errors import DataError

NPZ = ArraysParams(path="mine.npz")


def made(train: int = 12, test: int = 6, shape: tuple[int, ...] = (8, 10), **changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (train, *shape), dtype=np.uint8),
        "train_labels": np.arange(train) % 3,
        "test_images": random.integers(0, 256, (test, *shape), dtype=np.uint8),
        "test_labels": np.arange(test) % 3,
    } | changes


def save(folder: Path, **changes: Any) -> dict[str, Any]:
    content = made(**changes)
    np.savez(folder / "mine.npz", **content)
    return content


@given(
    colour=st.booleans(), last=st.booleans(), height=st.integers(4, 9), width=st.integers(4, 9),
    kind=st.sampled_from(["uint8", "int32", "int64", "uint16"]),
)  # fmt: skip
def test_images_come_out_channels_first_whatever_went_in(
    tmp_path_factory: pytest.TempPathFactory, colour: bool, last: bool, height: int, width: int, kind: str
) -> None:
    folder = tmp_path_factory.mktemp("arrays")
    channels = (3,) if colour else ((1,) if last else ())
    shape = (height, width, *channels) if last else (*channels, height, width)
    content = save(folder, shape=shape, train_labels=(np.arange(12) % 3).astype(kind))

    raw = read(folder, NPZ, None)

    assert raw.train_images.shape == (12, 3 if colour else 1, height, width)
    assert raw.train_images.is_contiguous()
    assert raw.train_labels.dtype == torch.int64
    expected = content["train_images"].transpose(0, 3, 1, 2) if last else content["train_images"]
    assert np.array_equal(raw.train_images.numpy().reshape(-1), expected.reshape(-1))
    assert raw.classes == ("0", "1", "2")


def test_a_folder_of_npy_files_holds_the_same(tmp_path: Path) -> None:
    content = save(tmp_path)
    (tmp_path / "mine").mkdir()
    for name, array in content.items():
        np.save(tmp_path / "mine" / f"{name}.npy", array)

    mapped, packed = read(tmp_path, ArraysParams(path="mine"), None), read(tmp_path, NPZ, None)

    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(mapped, part), getattr(packed, part))
    mapped.train_images.zero_()
    assert np.array_equal(np.load(tmp_path / "mine" / "train_images.npy"), content["train_images"])


def loaded(folder: Path, **body: Any) -> Dataset:
    spec = DatasetSpec.model_validate({"name": "arrays", "params": {"path": "mine.npz"}} | body)
    return load(spec.resolved(), folder, download=False)


def test_by_name(tmp_path: Path) -> None:
    save(tmp_path, shape=(8, 8, 3))

    data = loaded(tmp_path, validation=0.25)

    assert [len(data.train), len(data.validation), len(data.test)] == [9, 3, 6]
    assert data.shape == (3, 8, 8)
    assert data.facts is not None
    assert data.facts.mean is not None
    assert len(data.facts.mean) == 3


@pytest.mark.parametrize("name", ["validation", "val"])
def test_a_validation_split_that_is_there_is_used_as_it_is(tmp_path: Path, name: str) -> None:
    before = save(tmp_path, train_labels=(np.arange(12) % 3)[:, None])
    plain = loaded(tmp_path)
    own = {f"{name}_images": before["test_images"][:4] // 2, f"{name}_labels": np.arange(4)[:, None] % 3}
    content = save(tmp_path, **own)

    data = loaded(tmp_path, validation=0.5)

    assert [len(data.train), len(data.validation), len(data.test)] == [12, 4, 6]
    assert np.array_equal(data.validation.images_NCHW[:, 0].numpy(), content[f"{name}_images"])
    assert data.facts is not None
    assert data.facts.validation == 4
    assert data.sha256 != plain.sha256


def test_copies_stay_on_one_side_of_validation_and_are_counted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = np.repeat(random.integers(0, 256, (30, 8, 10), dtype=np.uint8), 4, axis=0)
    save(tmp_path, train_images=images, train_labels=np.arange(120) // 4 % 3, test_images=images[:6])

    data = loaded(tmp_path, validation=0.2)

    held = {image.numpy().tobytes() for image in data.validation.images_NCHW}
    assert 0 < len(data.validation) <= 24
    assert held.isdisjoint(image.numpy().tobytes() for image in data.train.images_NCHW)
    assert (data.duplicates.train, data.duplicates.test_in_train) == (90, 6)
    assert data.split_sha256 != data.sha256


def test_without_copies_the_draw_and_what_names_it_are_those_of_earlier_jobs(tmp_path: Path) -> None:
    save(tmp_path)
    data = loaded(tmp_path, validation=0.25)
    mask = held_out(np.arange(12) % 3, 3, VALIDATION_SEED)
    assert np.array_equal(data.validation.images_NCHW[:, 0].numpy(), made()["train_images"][mask])
    assert data.split_sha256 == data.sha256


def test_classes_may_be_named(tmp_path: Path) -> None:
    save(tmp_path)
    params = {"path": "mine.npz", "classes": ["a", "b", "c", "d"]}

    assert DatasetSpec(name="arrays", params=params).facts.num_classes == 4
    assert loaded(tmp_path, params=params).classes == ("a", "b", "c", "d")
    with pytest.raises(
        DataError, match=r"the train labels, of shape .*, run from 0 to 2; expected 12 of them from 0 to 1"
    ):
        loaded(tmp_path, params={"path": "mine.npz", "classes": ["a", "b"]})
    with pytest.raises(ValidationError, match="two classes have the same name"):
        ArraysParams(path="mine.npz", classes=("a", "a"))


CASES: list[tuple[dict[str, Any], str]] = [
    ({"train_images": np.zeros((12, 8, 10), np.float32)}, r"float32; expected uint8.*\(images \* 255\)\.round"),
    ({"test_images": np.zeros((6, 8, 10), np.int16)}, "test_images is of type int16; expected uint8, 0 to 255."),
    ({"train_images": np.zeros((12, 8), np.uint8)}, "train_images is 12 x 8: expected N x H x W"),
    ({"train_images": np.zeros((12, 8, 10, 4), np.uint8)}, "12 x 8 x 10 x 4: expected"),
    ({"train_images": np.zeros((12, 3, 8, 3), np.uint8)}, "12 x 3 x 8 x 3: both could be the channels"),
    ({"test_images": np.zeros((6, 8, 11), np.uint8)}, r"train images are \(1, 8, 10\).*test images \(1, 8, 11\)"),
    ({"test_images": np.zeros((5, 8, 10), np.uint8)}, "test_images has 5 images and test_labels 6 labels"),
    ({"train_images": np.zeros((0, 8, 10), np.uint8), "train_labels": np.zeros(0, int)}, "train_images is 0 x 8 x 10"),
    ({"train_labels": np.zeros(12)}, r"is float64 of shape \(12,\); .*train_labels.astype\('int64'\)"),
    ({"train_labels": np.eye(3, dtype=int)[np.arange(12) % 3]}, r"one-hot: write train_labels = .*argmax\(axis=1\)"),
    ({"train_labels": np.ones((12, 3), int)}, "several labels, or none"),
    ({"train_labels": np.array(list("abc") * 4)}, r"texts: .*numpy.unique\(train_labels, return_inverse"),
    ({"train_labels": np.arange(12) % 3 + 0.5}, "no whole numbers"),
    ({"train_labels": np.arange(12) % 3 + 1}, "begin at 1: for the labels of each split write labels = labels - 1"),
    ({"train_labels": np.arange(12) % 3 * 2}, r"numpy.searchsorted\(numpy.unique\(train_labels\), labels"),
    ({"validation_images": np.zeros((2, 8, 10), np.uint8)}, "does not hold validation_labels"),
    ({"train_labels": np.arange(12) - 1}, "holds a label below 0"),
    ({"train_labels": np.arange(12) * 2}, "the train labels are 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, ...; expected two"),
    ({"train_labels": np.zeros(12, int)}, "the train labels are 0; expected two classes or more"),
    ({"test_labels": np.arange(6)}, "there are labels up to 5 to test on, and train has 0 to 2"),
    ({"train_labels": np.array([{}] * 12, dtype=object)}, "mine.npz cannot be read: 'train_labels.npy' holds Python"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), CASES, ids=[message[:40] for _, message in CASES])
def test_what_is_not_as_expected_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    save(tmp_path, **changes)

    with pytest.raises(DataError, match=message):
        loaded(tmp_path)


class TestFiles:
    def test_a_missing_array_is_named(self, tmp_path: Path) -> None:
        content = made()
        del content["test_labels"]
        np.savez(tmp_path / "mine.npz", **content)

        with pytest.raises(
            DataError, match=r"mine\.npz does not hold test_labels; expected train_images, train_labels"
        ):
            read(tmp_path, NPZ, None)

    @pytest.mark.parametrize("content", [b"", b"no zip", b"\x80\x04pickle"], ids=str)
    def test_what_is_no_archive(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "mine.npz").write_bytes(content)

        with pytest.raises(DataError, match=r"mine\.npz cannot be read: .*Write it with numpy\.savez"):
            read(tmp_path, NPZ, None)

    def test_a_damaged_archive(self, tmp_path: Path) -> None:
        save(tmp_path)
        content = bytearray((tmp_path / "mine.npz").read_bytes())
        content[400] ^= 255
        (tmp_path / "mine.npz").write_bytes(content)

        with pytest.raises(DataError, match=r"mine\.npz cannot be read"):
            read(tmp_path, NPZ, None)

    def test_a_bomb_is_not_unpacked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(arrays, "MOST_BYTES", 10_000_000)
        with zipfile.ZipFile(tmp_path / "mine.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in arrays.NAMES:
                buffer = io.BytesIO()
                np.save(buffer, np.zeros((4000, 1000), np.uint8))
                archive.writestr(f"{name}.npy", buffer.getvalue())
        assert (tmp_path / "mine.npz").stat().st_size < 100_000

        with pytest.raises(DataError, match="at most 10,000,000 are taken"):
            read(tmp_path, NPZ, None)

    def test_absence_says_what_was_looked_for_and_no_path_of_the_server(self, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        for path, expected in (("mine.npz", "an .npz file"), ("other", "a folder of .npy files")):
            message = ArraysParams(path=path).absence(tmp_path)
            assert message is not None
            assert f"params.path is '{path}', which is not {expected} under KD_DATA_DIR" in message
            assert str(tmp_path) not in message
        assert ArraysParams(path="mine").absence(tmp_path) is None

    def test_a_linked_array_that_leads_out_is_not_read(self, tmp_path: Path) -> None:
        folder = tmp_path / "data" / "mine"
        folder.mkdir(parents=True)
        for name, array in made().items():
            np.save(tmp_path / f"{name}.npy", array)
            (folder / f"{name}.npy").symlink_to(tmp_path / f"{name}.npy")

        with pytest.raises(DataError, match=r"mine does not hold train_images\.npy"):
            read(tmp_path / "data", ArraysParams(path="mine"), None)

    @pytest.mark.parametrize("path", ["../mine.npz", "/mine.npz", "a/../mine.npz", "mine\0.npz", ""])
    def test_names_that_lead_elsewhere(self, path: str) -> None:
        with pytest.raises(ValidationError):
            ArraysParams(path=path)
