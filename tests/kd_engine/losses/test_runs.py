"""Each loss in a real run: handwritten digits, a small CNN that teaches a smaller one."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from kd_engine.losses import LOSSES
from kd_engine.platform.files import sha256_of
from kd_engine.runs.plan_runner import CHECKPOINT_FILE
from tests.kd_engine.small_runs import LONG, Recorder, run_spec

RECIPE: dict[str, Any] = {"epochs": 3, "batch_size": 100, "optimizer": {"name": "adam", "lr": 0.005}}
SIZE: dict[str, Any] = {"channels": [8, 16], "hidden": 32, "dropout": 0.0}
BODY: dict[str, Any] = LONG | {
    "teacher": {"model": "mnist_cnn", "params": SIZE, "training": RECIPE | {"epochs": 5}},
    "student": {"model": "mnist_cnn", "params": SIZE | {"hidden": 16}},
    "training": RECIPE,
    "baseline": False,
}
VARIANTS: list[tuple[str, dict[str, Any]]] = [(kind, {}) for kind in LOSSES] + [
    (kind, {"standardize": True}) for kind, cls in LOSSES.items() if "standardize" in cls.model_fields
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained teachers: all runs here share one."""
    return tmp_path_factory.mktemp("cache")


def course(out: Path, column: str) -> list[float]:
    """Of the distilled student, epoch by epoch."""
    with (out / "metrics.csv").open() as file:
        return [float(row[column]) for row in csv.DictReader(file) if row["phase"] == "student"]


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_the_objective_falls(kind: str, options: dict[str, Any], cache: Path, tmp_path: Path) -> None:
    body = BODY | {"losses": [{"kind": kind, "warmup_epochs": 0} | options]}
    if kind == "crd":  # without BatchNorm its first epochs go by before the embeddings have spread
        body |= {"student": "resnet20", "training": RECIPE | {"epochs": 4}}

    ended = run_spec(body, tmp_path, cache_dir=cache)

    assert ended.reason == "completed", ended.detail
    losses = course(tmp_path, "train_loss")
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]


def test_several_losses_together_each_with_its_own_weight(cache: Path, tmp_path: Path) -> None:
    body = BODY | {
        "student": "resnet20",
        "losses": [
            {"kind": "kl", "standardize": True, "temperature": 2, "weight": 9},
            {"kind": "crd", "weight": 0.8, "negatives": 100},
            {"kind": "fitnets", "weight": 10, "warmup_epochs": 2},
        ],
        "ce_weight": 0.1,
        "training": RECIPE | {"epochs": 4},
    }

    ended = run_spec(body, tmp_path, cache_dir=cache)

    assert ended.reason == "completed", ended.detail
    assert course(tmp_path, "val_accuracy")[-1] > 0.4


def test_maps_that_do_not_fit_end_the_run_naming_both(cache: Path, tmp_path: Path) -> None:
    narrow = {"model": "mnist_cnn", "params": SIZE | {"channels": [8, 12]}}
    body = BODY | {"student": narrow, "losses": ["fsp"]}

    ended = run_spec(body, tmp_path, cache_dir=cache)

    assert ended.reason == "invalid_spec"
    for part in ("'fsp'", "stage 2", "[12, 2, 2]", "[16, 2, 2]"):
        assert part in ended.detail


@pytest.mark.parametrize(
    "loss", [{"kind": "crd", "negatives": 100}, {"kind": "fitnets"}], ids=lambda loss: loss["kind"]
)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(loss: dict[str, Any], cache: Path, tmp_path: Path) -> None:
    """What the loss has learnt and remembers goes on too: banks, constants, draws, regressor, its optimiser's state."""
    body = BODY | {"losses": [loss]}
    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    assert run_spec(body, undisturbed, cache_dir=cache).reason == "completed"

    # in the middle of the first epoch and of the third
    assert run_spec(body, stopped, Recorder(stop_after=6), cache_dir=cache).reason == "interrupted"
    checkpoint = stopped / CHECKPOINT_FILE
    again = run_spec(body, stopped, Recorder(stop_after=25), cache_dir=cache, resume_from=checkpoint)
    assert again.reason == "interrupted"
    last = run_spec(body, stopped, cache_dir=cache, resume_from=checkpoint)

    assert last.reason == "completed", last.detail
    assert sha256_of(stopped / "student.safetensors") == sha256_of(undisturbed / "student.safetensors")
    assert course(stopped, "train_loss") == course(undisturbed, "train_loss")
