"""Weights as they were after an epoch: published, found again in the cache, kept by checkpoints, taught from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kd_engine.jobspec import JobSpec, network_file
from kd_engine.networks.network import load_network
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

TEACHER: dict[str, Any] = DIGITS["teacher"] | {"training": {"epochs": 3, "snapshots": [1, 3], "keep": "last"}}
BODY = DIGITS | {"teacher": TEACHER, "training": DIGITS["training"] | {"snapshots": [1]}}
FILES = ["teacher-epoch-1", "teacher-epoch-3", "baseline-epoch-1", "student-epoch-1"]


def weights(path: Path) -> str:
    return load_network(path).weights_sha256()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    finished = run_spec(BODY, out)
    assert finished.reason == "completed"
    assert {f"{name}.safetensors" for name in FILES} <= set(finished.artifacts)
    return out


def test_a_snapshot_is_the_network_of_a_training_that_ended_there(undisturbed: Path, tmp_path: Path) -> None:
    short = DIGITS | {"teacher": TEACHER | {"training": {"epochs": 1}}, "baseline": False}
    assert run_spec(short, tmp_path).reason == "completed"
    assert weights(undisturbed / network_file("teacher", 1)) == weights(tmp_path / network_file("teacher"))
    assert weights(undisturbed / network_file("teacher", 3)) == weights(undisturbed / network_file("teacher"))
    assert weights(undisturbed / network_file("teacher", 1)) != weights(undisturbed / network_file("teacher"))


def test_a_snapshot_teaches(undisturbed: Path, tmp_path: Path) -> None:
    body = DIGITS | {"teacher": {"job": "job_1", "role": "teacher", "epoch": 1}}
    (source,) = JobSpec.model_validate(body).networks()
    assert source.file == "teacher-epoch-1.safetensors"
    file = undisturbed / source.file
    assert run_spec(body, tmp_path, networks=(file,)).reason == "completed"
    assert weights(tmp_path / network_file("teacher")) == weights(file)


def test_snapshots_come_with_a_network_from_the_cache(undisturbed: Path, tmp_path: Path) -> None:
    assert run_spec(BODY, tmp_path, cache_dir=undisturbed / "cache").reason == "completed"
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert [row["source"] for row in rows] == ["cache", "cache", "trained"]
    for name in FILES:
        assert weights(tmp_path / f"{name}.safetensors") == weights(undisturbed / f"{name}.safetensors"), name


@pytest.mark.parametrize("calls", [5, 14, 24])
def test_snapshots_outlive_an_interruption(undisturbed: Path, tmp_path: Path, calls: int) -> None:
    assert run_spec(BODY, tmp_path, Recorder(stop_after=calls)).reason == "interrupted"
    assert run_spec(BODY, tmp_path, resume_from=tmp_path / "checkpoint.safetensors").reason == "completed"
    for name in FILES:
        file = f"{name}.safetensors"
        assert (tmp_path / file).read_bytes() == (undisturbed / file).read_bytes(), name


@pytest.mark.parametrize(
    ("snapshots", "says"), [([4], "there is no epoch 4 to keep"), ([1, 1], "an epoch is listed twice"), ([0], "1")]
)
def test_snapshots_that_never_come_up_are_refused(snapshots: list[int], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        JobSpec.model_validate(DIGITS | {"training": {"epochs": 3, "snapshots": snapshots}})


def test_an_epoch_without_a_job_means_nothing() -> None:
    with pytest.raises(ValidationError, match="'epoch' says which network of 'job'"):
        JobSpec.model_validate(DIGITS | {"teacher": {"model": "mlp", "epoch": 3}})
