"""The digits that a package carries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from kd_engine.data.readers import digits
from kd_engine.schema.errors import DataError


def test_pixels_and_labels_are_scikit_learns() -> None:
    raw = digits.read(Path(), None)
    published = load_digits()

    ours = {
        (images.numpy().tobytes(), label)
        for split, labels in ((raw.train_images, raw.train_labels), (raw.test_images, raw.test_labels))
        for images, label in zip(split, labels.tolist(), strict=True)
    }
    scaled = np.round(published.images * 255 / 16).astype(np.uint8)
    theirs = {(image.tobytes(), int(label)) for image, label in zip(scaled, published.target, strict=True)}
    assert ours == theirs
    assert len(raw.train_labels) + len(raw.test_labels) == len(published.target) == 1797


def test_shapes_and_types() -> None:
    raw = digits.read(Path(), None)

    assert raw.train_images.shape == (1437, 1, 8, 8)
    assert raw.test_images.shape == (360, 1, 8, 8)
    assert raw.train_images.dtype == raw.test_images.dtype == torch.uint8
    assert raw.train_labels.dtype == raw.test_labels.dtype == torch.int64
    assert (int(raw.train_images.min()), int(raw.train_images.max())) == (0, 255)


def test_test_split_is_stratified() -> None:
    raw = digits.read(Path(), None)

    assert raw.test_labels.bincount().tolist() == [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]


def test_changed_numbers_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed = tmp_path / "digits.csv"
    changed.write_text(",".join(["1"] * 65))
    monkeypatch.setattr(digits, "_file", lambda: changed)

    with pytest.raises(DataError, match=r"digits\.csv have sha256 .*; expected 68aea062") as caught:
        digits.read(Path(), None)
    assert "Install scikit-learn again" in str(caught.value)


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(digits, "_file", lambda: tmp_path / "gone.csv.gz")

    with pytest.raises(DataError, match=r"gone\.csv\.gz cannot be read .* install scikit-learn again"):
        digits.read(Path(), None)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(DataError, match="comes with scikit-learn, which is not installed"):
        digits.read(Path(), None)
