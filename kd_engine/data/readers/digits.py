"""The handwritten digits that scikit-learn carries: 1,797 images of 8x8 pixels, 0 (paper) to 16 (ink)."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kd_engine.catalog.datasets import Layout
from kd_engine.data.dataset import RawData
from kd_engine.data.splits import DIGITS_TEST_SEED, held_out
from kd_engine.schema.errors import DataError

TEST_IMAGES = 360
FILE = "datasets/data/digits.csv.gz"
SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"


def read(data_dir: Path, layout: Layout | None) -> RawData:
    """All digits, pixels scaled to 0..255; 360 of them, fixed and stratified, are the test split.

    Args:
        data_dir, layout: not used; the images come with a package.

    Raises:
        DataError: scikit-learn is not installed, or its file is missing or another.
    """
    table = _table()
    labels_N = table[:, -1].astype(np.int64)
    ink_N1HW = table[:, :-1].reshape(-1, 1, 8, 8).astype(np.int64)
    images_N1HW = ((ink_N1HW * 255 + 8) // 16).astype(np.uint8)
    test_N = held_out(labels_N, TEST_IMAGES, DIGITS_TEST_SEED)
    return RawData(
        train_images=torch.from_numpy(images_N1HW[~test_N]),
        train_labels=torch.from_numpy(labels_N[~test_N]),
        test_images=torch.from_numpy(images_N1HW[test_N]),
        test_labels=torch.from_numpy(labels_N[test_N]),
    )


def _table() -> NDArray[np.uint8]:
    """One row an image: 64 pixels and the label."""
    path = _file()
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); install scikit-learn again.") from error
    found = hashlib.sha256(table.tobytes()).hexdigest()
    if found != SHA256:
        raise DataError(f"the numbers in {path} have sha256 {found}; expected {SHA256}. Install scikit-learn again.")
    return table


def _file() -> Path:
    # the file itself: importing sklearn.datasets takes a second, and a job on the digits starts in less
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("the data set 'digits' comes with scikit-learn, which is not installed; install it.")
    return Path(package.origin).parent / FILE
