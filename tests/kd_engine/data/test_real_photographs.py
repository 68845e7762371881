"""Real folders of photographs, where the machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kd_engine.catalog.dataset_params import ImageFolderParams
from kd_engine.data.dataset import load
from kd_engine.jobspec import DatasetSpec


@pytest.mark.parametrize(("folder", "train", "test", "classes"), [
    pytest.param(
        "flower_photos", 2934, 736, ("daisy", "dandelion", "roses", "sunflowers", "tulips"), marks=pytest.mark.slow
    ),
    ("imagewoof_sample", 1000, 400, None),
])  # fmt: skip
def test_real_photographs(tmp_path: Path, folder: str, train: int, test: int, classes: tuple[str, ...] | None) -> None:
    data_dir = os.environ.get("KD_DATA_DIR", "")
    asked = {"folder": folder, "height": 16, "width": 16}
    if not data_dir or ImageFolderParams.model_validate(asked).absence(Path(data_dir)) is not None:
        pytest.skip(f"needs the real {folder}: set KD_DATA_DIR to a folder that holds it")

    spec = DatasetSpec.model_validate({"name": "image_folder", "params": asked}).resolved()
    first, second = (load(spec, Path(data_dir), download=False, cache_dir=tmp_path) for _ in range(2))

    assert len(first.train) + len(first.validation) == train
    assert len(first.test) == test
    assert classes is None or first.classes == classes
    assert first.sha256 == second.sha256
    assert first.facts == second.facts
    assert first.facts is not None
    assert first.facts.mean == pytest.approx((0.48, 0.44, 0.36), abs=0.06)
