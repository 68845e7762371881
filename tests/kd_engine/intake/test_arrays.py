"""A whole check of numpy arrays."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_engine.catalog.dataset_params import UploadedParams
from kd_engine.data.readers import uploaded
from kd_engine.intake.arrays import check_arrays
from kd_engine.platform.files import sha256_of
from kd_engine.schema.errors import DataError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (60, 8, 9, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3
SPLIT: dict[str, Any] = {
    "x_train": IMAGES[:45], "y_train": LABELS[:45], "x_test": IMAGES[45:], "y_test": LABELS[45:],
}  # fmt: skip


def _check(tmp_path: Path, **arrays: Any) -> dict[str, Any]:
    np.savez(tmp_path / "sent.npz", **arrays)
    return check_arrays(tmp_path / "sent.npz", tmp_path, test_share=0.25).model_dump(mode="json")


def test_arrays_as_keras_calls_them(tmp_path: Path) -> None:
    manifest = _check(tmp_path, **SPLIT)
    assert manifest["classes"] == ["0", "1", "2"]
    assert manifest["splits"] == {
        "train": {"images": 45, "by_class": [15, 15, 15]}, "test": {"images": 15, "by_class": [5, 5, 5]},
    }  # fmt: skip
    assert manifest["sizes"]["height"]["median"] == 8
    assert manifest["sizes"]["width"]["median"] == 9
    pixels = IMAGES[:45] / 255
    assert manifest["mean"] == pytest.approx(pixels.mean(axis=(0, 1, 2)).tolist(), abs=1e-6)
    assert manifest["std"] == pytest.approx(pixels.std(axis=(0, 1, 2)).tolist(), abs=1e-6)


def test_jobs_read_what_was_sent(tmp_path: Path) -> None:
    _check(tmp_path, **SPLIT, classes=np.array(["red", "green", "blue"]))
    prepared = tmp_path / "dataset.npz"
    params = UploadedParams(
        id="ds_1", height=8, width=9, sha256=sha256_of(prepared), layout="arrays", channels=3,
        classes=("red", "green", "blue"), train=45,
    )  # fmt: skip
    raw = uploaded.read(prepared, params, None)
    assert raw.classes == ("red", "green", "blue")
    np.testing.assert_array_equal(raw.train_images.numpy(), IMAGES[:45].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(raw.test_labels.numpy(), LABELS[45:])
    with pytest.raises(DataError, match="damaged"):
        uploaded.read(prepared, params.model_copy(update={"sha256": "0" * 64}), None)


def test_images_and_labels_are_split_by_class(tmp_path: Path) -> None:
    manifest = _check(tmp_path, images=IMAGES[..., 0], labels=LABELS)
    assert manifest["channels"] == 1
    assert manifest["splits"]["test"] == {"images": 15, "by_class": [5, 5, 5]}
    assert "25% of each class" in manifest["notes"][0]


def test_duplicates_across_splits_are_found(tmp_path: Path) -> None:
    arrays = SPLIT | {"x_test": np.concatenate([IMAGES[45:59], IMAGES[:1]])}
    found = _check(tmp_path, **arrays)["duplicates"]["across_splits"]
    assert [entry["file"] for entry in found["listed"][0]] == ["train_images[0]", "test_images[14]"]


@pytest.mark.parametrize(("arrays", "message"), [
    ({"images": IMAGES}, "holds images; expected train_images"),
    ({"images": IMAGES.astype(np.float32) / 255, "labels": LABELS}, "expected uint8"),
    ({"x": np.zeros((60, 64), np.uint8), "y": LABELS}, r"^x is .*write images.reshape\(-1, 8, 8\)"),
    (SPLIT | {"x_test": np.zeros((15, 48), np.uint8)}, r"^x_test is 15 x 48.*reshape\(-1, 3, 4, 4\) or "),
    ({"images": IMAGES, "labels": LABELS[:10]}, "an integer for each image"),
    ({"images": IMAGES, "labels": LABELS - 1}, "below 0"),
    ({"images": IMAGES, "labels": LABELS * 2}, "numbered from 0"),
    ({"images": IMAGES, "labels": LABELS.astype(float)}, "an integer for each image"),
    (SPLIT | {"classes": np.array(["a", "b"])}, "go up to 2, and there are 2 classes"),
    (SPLIT | {"classes": np.array(["a", "b", "b"])}, "the same name"),
    ({"images": np.array([{"a": 1}] * 3, dtype=object), "labels": LABELS[:3]}, "never unpickled"),
])  # fmt: skip
def test_what_is_no_data_set_is_told(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _check(tmp_path, **arrays)


def test_a_header_that_claims_more_than_there_is_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 8, 8)})
    with zipfile.ZipFile(tmp_path / "sent.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + b"x" * 100)
        archive.writestr("labels.npy", header.getvalue())
    with pytest.raises(DataError, match="says it holds 64,000,000,000,000 bytes, and has 100"):
        check_arrays(tmp_path / "sent.npz", tmp_path, test_share=0.2)


def test_bytes_that_are_no_arrays_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "sent.npz", "w") as archive:
        archive.writestr("images.npy", b"not an array")
    with pytest.raises(DataError, match="cannot be read"):
        check_arrays(tmp_path / "sent.npz", tmp_path, test_share=0.2)
