"""Arrays of several labels an image that were sent: checked, written, and read by a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_engine.catalog.dataset_params import UploadedParams
from kd_engine.data.readers import uploaded
from kd_engine.intake.arrays import check_arrays
from kd_engine.platform.files import sha256_of
from kd_engine.schema.errors import DataError
from kd_engine.schema.manifest import Contents
from tests.kd_engine.tasks.image_multi_label.digits import CLASSES, TASK, several_digits

ARRAYS = several_digits(150, 60)


def _check(folder: Path, task: str = TASK, **arrays: Any) -> Contents:
    np.savez(folder / "sent.npz", **arrays)
    return check_arrays(folder / "sent.npz", folder, test_share=0.25, task=task)


def test_a_job_reads_what_was_sent_and_the_check_counts_the_images_of_each_class(tmp_path: Path) -> None:
    found = _check(tmp_path, **ARRAYS, classes=np.array(CLASSES))
    assert found.classes == CLASSES
    for part in ("train", "test"):
        labels_NK = ARRAYS[f"{part}_labels"]
        assert found.splits[part].images == len(labels_NK)
        assert list(found.splits[part].by_class) == labels_NK.sum(axis=0).tolist()
    prepared = tmp_path / "dataset.npz"
    params = UploadedParams(
        id="ds_1", height=8, width=24, sha256=sha256_of(prepared), layout="arrays", channels=1, classes=CLASSES,
        train=150, task=TASK,
    )  # fmt: skip
    raw = uploaded.read(prepared, params, None)
    np.testing.assert_array_equal(raw.train_labels.numpy(), ARRAYS["train_labels"])


def test_a_file_without_splits_is_split_by_the_rarest_class_of_each_image(tmp_path: Path) -> None:
    found = _check(tmp_path, images=ARRAYS["train_images"], labels=ARRAYS["train_labels"])
    test, all_K = found.splits["test"], ARRAYS["train_labels"].sum(axis=0)
    assert test.images == 38
    assert np.allclose(np.array(test.by_class) / all_K, 0.25, atol=0.12)


def test_rows_of_one_class_each_are_taken_as_several_only_where_that_was_said(tmp_path: Path) -> None:
    one_hot_NK = np.eye(5, dtype=int)[np.arange(150) % 5]
    arrays = {"images": ARRAYS["train_images"], "labels": one_hot_NK}
    assert _check(tmp_path, **arrays).splits["train"].images == 112
    with pytest.raises(DataError, match="one-hot: write labels = labels"):
        _check(tmp_path, "image_classification", **arrays)
    with pytest.raises(DataError, match=f"say so, with task={TASK}"):
        _check(tmp_path, "image_classification", images=ARRAYS["train_images"], labels=ARRAYS["train_labels"])


def test_a_class_without_an_image_to_train_on_is_told(tmp_path: Path) -> None:
    labels_NK = np.concatenate([ARRAYS["train_labels"], np.zeros((150, 1))], axis=1)
    notes = _check(tmp_path, images=ARRAYS["train_images"], labels=labels_NK).notes
    assert "train has no images of 5: nothing can be learnt of these classes" in notes
