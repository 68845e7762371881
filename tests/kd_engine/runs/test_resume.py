"""A run that was stopped and goes on is the undisturbed run, bit for bit, wherever it was stopped."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kd_engine.platform.files import sha256_of
from kd_engine.runs.plan_runner import CHECKPOINT_FILE
from kd_engine.training.checkpoint import load_tree, save_tree
from tests.kd_engine.small_runs import LONG, Recorder, run_spec

BODY: dict[str, Any] = LONG | {
    "training": {
        "epochs": 3,
        "batch_size": 200,
        "augmentation": [{"name": "crop", "padding": 1}, "flip"],
        "optimizer": {"name": "sgd", "lr": 0.1},
        "schedule": {"name": "cosine", "warmup_epochs": 0.5},
    },
    "student": "resnet8",
    "losses": [{"kind": "kl", "temperature": 3}],
    "ce_weight": 0.1,
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    assert run_spec(BODY, out).reason == "completed"
    return out


def _course(out: Path) -> list[tuple[str, ...]]:
    with (out / "metrics.csv").open() as file:
        return [
            tuple(row[key] for key in ("phase", "epoch", "train_loss", "val_loss", "val_accuracy", "lr"))
            for row in csv.DictReader(file)
        ]


def _report(out: Path) -> dict[str, Any]:
    """The report without its times."""
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    for details in report["details"].values():
        del details["latency"]
    return report


@pytest.mark.parametrize("steps", [1, 7, 21, 24, 31, 40])
def test_resumed_run_equals_the_undisturbed_one(undisturbed: Path, tmp_path: Path, steps: int) -> None:
    """Stopped in the teacher, at its end, in the student alone, between phases and in the distilled student."""
    first = run_spec(BODY, tmp_path, Recorder(stop_after=steps))
    assert first.reason == "interrupted"
    recorder = Recorder()
    again = run_spec(BODY, tmp_path, recorder, resume_from=tmp_path / CHECKPOINT_FILE)
    assert again.reason == "completed", again.detail
    assert recorder.of("run_started")[0].resumed
    for name in ("student.safetensors", "baseline.safetensors", "teacher.safetensors"):
        assert sha256_of(tmp_path / name) == sha256_of(undisturbed / name)
    assert _course(tmp_path) == _course(undisturbed)
    assert _report(tmp_path) == _report(undisturbed)
    assert sha256_of(tmp_path / "confusion.png") == sha256_of(undisturbed / "confusion.png")


def test_a_checkpoint_of_other_labels_is_refused(tmp_path: Path) -> None:
    """The spec alone does not tell: a file may have been written anew under its old name."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 3
    body = LONG | {
        "dataset": {"name": "arrays", "params": {"path": "it.npz"}, "mean": [0.5], "std": [0.5]},
        "teacher": {"model": "mlp", "training": {"epochs": 2, "batch_size": 8}},
        "losses": ["kl"],
    }
    path = tmp_path / "data" / "it.npz"
    path.parent.mkdir()

    def write(train_labels: NDArray[np.int64]) -> None:
        np.savez(path, train_images=images, train_labels=train_labels, test_images=images, test_labels=labels)

    write(labels)
    assert run_spec(body, tmp_path, Recorder(stop_after=5)).reason == "interrupted"
    write(labels[::-1].copy())

    ended = run_spec(body, tmp_path, resume_from=tmp_path / CHECKPOINT_FILE)

    assert (ended.reason, "other images or labels" in ended.detail) == ("data_error", True)
    write(labels)
    assert run_spec(body, tmp_path, resume_from=tmp_path / CHECKPOINT_FILE).reason == "completed"


def test_a_checkpoint_of_a_version_that_computed_otherwise_is_not_gone_on_from(tmp_path: Path) -> None:
    body = LONG | {"losses": ["kl"], "baseline": False, "training": {"epochs": 2, "batch_size": 256, "ema": 0.9}}
    path = tmp_path / CHECKPOINT_FILE
    assert run_spec(body, tmp_path, Recorder(stop_after=5)).reason == "interrupted"
    earlier = load_tree(path)
    del earlier["formulas"], earlier["data_sha256"]
    save_tree(earlier, path)

    recorder = Recorder()
    assert run_spec(body, tmp_path, recorder, resume_from=path).reason == "completed"

    assert not recorder.of("run_started")[0].resumed
    assert recorder.of("phase_started")[0].first_epoch == 0


def test_stopped_many_times(undisturbed: Path, tmp_path: Path) -> None:
    stops = 0
    checkpoint: Path | None = None
    while (ended := run_spec(BODY, tmp_path, Recorder(stop_after=9), resume_from=checkpoint)).reason == "interrupted":
        checkpoint, stops = tmp_path / CHECKPOINT_FILE, stops + 1
        assert stops < 20, ended.detail
    assert ended.reason == "completed", ended.detail
    assert stops >= 4
    assert sha256_of(tmp_path / "student.safetensors") == sha256_of(undisturbed / "student.safetensors")


def test_a_checkpoint_of_another_spec_is_refused(tmp_path: Path) -> None:
    assert run_spec(BODY, tmp_path, Recorder(stop_after=3)).reason == "interrupted"
    ended = run_spec(BODY | {"seed": 5}, tmp_path / "other", resume_from=tmp_path / CHECKPOINT_FILE)
    assert ended.reason == "data_error"
    assert "another spec" in ended.detail


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    assert run_spec(BODY, tmp_path, Recorder(stop_after=3)).reason == "interrupted"
    whole = (tmp_path / CHECKPOINT_FILE).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    ended = run_spec(BODY, tmp_path / "other", resume_from=tmp_path / "cut")
    assert ended.reason == "data_error"
    assert "not a whole checkpoint" in ended.detail


def test_a_checkpoint_with_fewer_defaults_or_another_name_is_of_the_same_run(undisturbed: Path, tmp_path: Path) -> None:
    """As one that an earlier version wrote, which knew fewer keys; or that of a job which is run again."""
    assert run_spec(BODY, tmp_path, Recorder(stop_after=9)).reason == "interrupted"
    checkpoint = tmp_path / CHECKPOINT_FILE
    tree = load_tree(checkpoint)
    for key in ("priority", "webhooks", "teacher_cache"):
        del tree["spec"][key]
    del tree["spec"]["training"]["snapshots"]
    save_tree(tree, checkpoint)
    again = run_spec(BODY | {"name": "again", "priority": 5}, tmp_path, resume_from=checkpoint)
    assert again.reason == "completed", again.detail
    assert sha256_of(tmp_path / "student.safetensors") == sha256_of(undisturbed / "student.safetensors")
