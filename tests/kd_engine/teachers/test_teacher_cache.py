"""The cache of a teacher's logits changes the cost of a job and, beyond its storage's rounding, nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kd_engine.data.dataset import Dataset, load
from kd_engine.data.loader import Batch, batches
from kd_engine.jobspec import DatasetSpec, JobSpec
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.teachers.cached import CachedTeacher
from kd_engine.teachers.store import LogitStore
from kd_engine.training.rng import generator, seeded
from tests.kd_engine.small_runs import LONG, run_spec

AUGMENTED: dict[str, Any] = LONG | {
    "losses": [{"kind": "kl", "temperature": 3}],
    "training": {"epochs": 4, "batch_size": 200, "augmentation": [{"name": "crop", "padding": 1}, "flip"]},
    "baseline": False,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(DatasetSpec(name="digits").resolved(), tmp_path_factory.mktemp("data"), download=False)


def _teacher(data: Dataset, seed: int = 0) -> Network:
    with seeded(seed, "teacher"):
        network = build(Architecture("resnet20", {}, data.shape, data.classes, (0.0,), (1.0,)))
    network.freeze()
    return network


def _cached(folder: Path, data: Dataset, teacher: Network, views: int, storage: str = "float16") -> CachedTeacher:
    store = LogitStore(folder, "name", samples=len(data.train), views=views, classes=10, storage=storage)
    return CachedTeacher(teacher, store)


def _epoch(data: Dataset, epoch: int) -> list[Batch]:
    spec = JobSpec.model_validate(AUGMENTED)
    return list(batches(data.train, 200, generator(0, epoch), spec.training.augmentation))


def _course(out: Path) -> list[float]:
    with (out / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file) if row["phase"] == "student"]


def _stats(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text())["teacher_cache"]
    return found


@pytest.mark.parametrize(("storage", "bound"), [("float32", 1e-5), ("float16", 2e-3)])
def test_loss_curves_agree_within_storage_precision(tmp_path: Path, storage: str, bound: float) -> None:
    for mode in ("off", storage):
        assert run_spec(AUGMENTED | {"teacher_cache": mode}, tmp_path / mode).reason == "completed"
    without, with_cache = _course(tmp_path / "off"), _course(tmp_path / storage)
    assert len(without) == 4
    assert with_cache == pytest.approx(without, rel=bound)
    assert _stats(tmp_path / "off") == {}
    assert _stats(tmp_path / storage)["0"]["views"] == 18


def test_a_warm_cache_gives_the_same_bits(tmp_path: Path) -> None:
    """Another job with the same teacher has filled some rows before: the student is the same all the same."""
    shared = tmp_path / "cache"
    other = AUGMENTED | {"student": "softmax_regression", "seed": 7, "teacher": AUGMENTED["teacher"] | {"seed": 0}}
    assert run_spec(other, tmp_path / "other", cache_dir=shared).reason == "completed"
    assert run_spec(AUGMENTED, tmp_path / "warm", cache_dir=shared).reason == "completed"
    assert run_spec(AUGMENTED, tmp_path / "cold").reason == "completed"
    warm, cold = _stats(tmp_path / "warm")["0"], _stats(tmp_path / "cold")["0"]
    assert warm["hit_rate"] > cold["hit_rate"] > 0
    student = "student.safetensors"
    assert (tmp_path / "warm" / student).read_bytes() == (tmp_path / "cold" / student).read_bytes()


def test_without_augmentation_one_pass_fills_it(tmp_path: Path) -> None:
    body = AUGMENTED | {"training": {"epochs": 4, "batch_size": 200}}
    assert run_spec(body, tmp_path).reason == "completed"
    stats = _stats(tmp_path)["0"]
    assert stats["rows"] == stats["asked"] / 4
    assert stats["hit_rate"] == 0.75


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"epochs": 1, "augmentation": [{"name": "rotation"}]}},
        {"losses": ["at"], "student": "mnist_cnn"},
    ],
    ids=["endless views", "feature maps"],
)
def test_what_cannot_be_cached_runs_the_teacher_live(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert run_spec(AUGMENTED | changes, tmp_path).reason == "completed"
    assert _stats(tmp_path) == {}


def test_logits_do_not_depend_on_place_or_company(tmp_path: Path, data: Dataset) -> None:
    teacher = _teacher(data)
    for precision in (torch.float32, torch.bfloat16):
        teacher.dtype = precision
        first, second = (_cached(tmp_path / f"{n}{precision}", data, teacher, 18, "float32") for n in range(2))
        for epoch in (0, 1):
            first.answers(_epoch(data, epoch)[0])
        batch = _epoch(data, 1)[0]
        alone = Batch(*(None if part is None else part[37:41] for part in batch[:4]), None)  # type: ignore[misc, arg-type]
        assert second.answers(alone).logits_BK.equal(first.answers(batch).logits_BK[37:41])


def test_rows_belong_to_samples_and_views_not_to_places(tmp_path: Path, data: Dataset) -> None:
    """The trap of caches indexed by the position in a batch: after a shuffle every row would be another image's."""
    teacher = _teacher(data)
    cached = _cached(tmp_path, data, teacher, 18, "float32")
    for epoch in range(3):
        for batch in _epoch(data, epoch):
            with torch.no_grad():
                torch.testing.assert_close(
                    cached.answers(batch).logits_BK, teacher.logits(batch.images_BCHW), rtol=1e-5, atol=1e-5
                )
    assert 0 < (cached.stats().hit_rate or 0) < 1


def test_rows_of_another_teacher_are_noticed_and_dropped(tmp_path: Path, data: Dataset) -> None:
    """As if a file had been copied over, or a disk had gone bad."""
    wrong = _cached(tmp_path, data, _teacher(data, seed=1), 18)
    batch = _epoch(data, 0)[0]
    wrong.answers(batch)
    wrong.flush()
    teacher = _teacher(data)
    right = _cached(tmp_path, data, teacher, 18)
    with torch.no_grad():
        torch.testing.assert_close(
            right.answers(batch).logits_BK, teacher.logits(batch.images_BCHW), rtol=2e-3, atol=2e-3
        )
    assert right.stats().rows == len(batch.labels_B)


def test_logits_beyond_the_storage_are_used_but_not_kept(tmp_path: Path, data: Dataset) -> None:
    teacher = _teacher(data)
    with torch.no_grad():
        list(teacher.module.parameters())[-1].fill_(1e6)  # the last layer's bias: float16 ends at 65,504
    cached = _cached(tmp_path, data, teacher, 18)
    batch = _epoch(data, 0)[0]
    found = cached.answers(batch).logits_BK
    assert found.isfinite().all()
    with torch.no_grad():
        torch.testing.assert_close(found, teacher.logits(batch.images_BCHW))
    assert cached.stats().rows == 0
