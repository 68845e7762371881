"""A run on hardly any images: a report comes of it, and counts the images that are there twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.kd_engine.small_runs import run_spec


def test_one_test_picture_and_copies_of_it_make_a_whole_report(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    train = np.concatenate([images, images[:1], images[:1], images[3:4]])
    np.savez(
        tmp_path / "few.npz", train_images=train, train_labels=np.array([0, 0, 0, 1, 1, 1, 0, 0, 1]),
        test_images=images[:1], test_labels=np.array([0]),
    )  # fmt: skip
    network = {"model": "softmax_regression", "training": {"epochs": 1, "batch_size": 2}}
    spec = {
        "dataset": {"name": "arrays", "params": {"path": "few.npz"}, "validation": 2}, "teacher": network,
        "student": "softmax_regression", "temperature": 4, "training": network["training"], "export": [],
    }  # fmt: skip

    run_spec(spec, tmp_path / "out", data_dir=tmp_path)

    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["duplicates"] == {"train": 3, "validation_in_train": 0, "test_in_train": 1}
    assert report["verdict"] == "no evidence"
    assert [row["phase"] for row in report["rows"]] == ["teacher", "baseline", "student"]
