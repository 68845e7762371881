"""Digits side by side, several an image or none, labelled with all that it shows: an .npz file made by the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kd_engine.data.readers.digits import read

CLASSES = ("zero", "one", "two", "three", "four")
SHAPE = (1, 8, 24)
TASK = "image_multi_label"


def several_digits(train: int = 500, test: int = 120) -> dict[str, NDArray[np.uint8]]:
    """Arrays by name; about one image in eight shows no digit."""
    raw = read(Path(), None)
    arrays = {}
    for part, images, labels, count in (
        ("train", raw.train_images, raw.train_labels, train), ("test", raw.test_images, raw.test_labels, test)
    ):  # fmt: skip
        random = np.random.RandomState(len(part))
        known_NHW, label_N = images.numpy()[labels.numpy() < 5, 0], labels.numpy()[labels.numpy() < 5]
        drawn_N3 = random.randint(0, len(label_N), (count, 3))
        there_N3 = random.rand(count, 3) < 0.5
        tiles_N3HW = known_NHW[drawn_N3] * there_N3[:, :, None, None]
        shown_N3K = (label_N[drawn_N3][:, :, None] == np.arange(5)) & there_N3[:, :, None]
        images_NHW = np.ascontiguousarray(tiles_N3HW.transpose(0, 2, 1, 3)).reshape(count, 8, 24)
        # no two alike, also of those that show none
        arrays[f"{part}_images"] = np.maximum(images_NHW, random.randint(0, 16, images_NHW.shape)).astype(np.uint8)
        arrays[f"{part}_labels"] = shown_N3K.any(axis=1).astype(np.uint8)
    return arrays


def write(folder: Path, **changes: Any) -> Path:
    """`several.npz` in `folder`, with some of its arrays changed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "several.npz"
    np.savez(path, **(several_digits() | changes))
    return path


def spec(**changes: Any) -> dict[str, Any]:
    """A job on that file that is done in seconds."""
    adam = {"name": "adam", "lr": 0.004}
    return {
        "dataset": {"name": "arrays", "params": {"path": "several.npz", "task": TASK, "classes": CLASSES}},
        "teacher": {
            "model": "mnist_cnn",
            "params": {"channels": [8, 16], "hidden": 64},
            "training": {"epochs": 8, "batch_size": 32, "optimizer": adam},
        },
        "student": {"model": "mlp", "params": {"hidden": [16]}},
        "losses": [{"kind": "kl", "temperature": 2}],
        "training": {"epochs": 6, "batch_size": 32, "optimizer": adam},
        "export": [],
    } | changes
