"""`fixed_views`: the same few epochs again and again, so that the teacher's logits can be kept for any augmentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kd_engine.data.dataset import Dataset, load
from kd_engine.data.loader import batches
from kd_engine.jobspec import DatasetSpec, JobSpec
from kd_engine.training.rng import generator
from tests.kd_engine.small_runs import LONG, run_spec

BODY: dict[str, Any] = LONG | {
    "losses": [{"kind": "kl", "temperature": 3}],
    "training": {"epochs": 6, "batch_size": 200, "fixed_views": 2, "augmentation": [{"name": "rotation"}, "mixup"]},
    "baseline": False,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(DatasetSpec(name="digits").resolved(), tmp_path_factory.mktemp("data"), download=False)


def test_an_epoch_comes_again_image_by_image(data: Dataset) -> None:
    recipe = JobSpec.model_validate(BODY).training
    epochs = [
        list(batches(data.train, 200, generator(0, "student", recipe.turn(epoch), "batches"), recipe.augmentation))
        for epoch in range(4)
    ]
    for first, again in ((0, 2), (1, 3)):
        for one, other in zip(epochs[first], epochs[again], strict=True):
            assert one.index_B.equal(other.index_B)
            assert one.images_BCHW.equal(other.images_BCHW)
    assert not epochs[0][0].images_BCHW.equal(epochs[1][0].images_BCHW)


def test_the_teacher_runs_for_so_many_epochs_and_the_curve_is_that_of_a_live_one(tmp_path: Path) -> None:
    for mode in ("off", "float32"):
        assert run_spec(BODY | {"teacher_cache": mode}, tmp_path / mode).reason == "completed"
    stats = json.loads((tmp_path / "float32" / "report.json").read_text())["teacher_cache"]["0"]
    assert (stats["views"], stats["hit_rate"]) == (2, pytest.approx(4 / 6))
    losses = [
        [float(line.split(",")[header.split(",").index("train_loss")]) for line in lines if line.startswith("student")]
        for header, *lines in (
            (tmp_path / mode / "metrics.csv").read_text().splitlines() for mode in ("off", "float32")
        )
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_repeats_have_views_of_their_own(tmp_path: Path) -> None:
    assert run_spec(BODY | {"repeats": 2, "teacher_cache": "float32"}, tmp_path).reason == "completed"
    stats = json.loads((tmp_path / "report.json").read_text())["teacher_cache"]
    assert [stats[repeat]["hit_rate"] for repeat in "01"] == [pytest.approx(4 / 6)] * 2
    assert len(list((tmp_path / "cache" / "logits").glob("*.logits"))) == 2


def test_without_it_every_epoch_is_new() -> None:
    recipe = JobSpec.model_validate(LONG | {"losses": ["kl"]}).training
    assert [recipe.turn(epoch) for epoch in range(5)] == list(range(5))
    assert [JobSpec.model_validate(BODY).training.turn(epoch) for epoch in range(5)] == [0, 1, 0, 1, 0]
