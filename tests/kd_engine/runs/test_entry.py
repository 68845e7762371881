"""Whole runs on real digits: what comes out, that it comes out twice, and how it ends when something is wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from kd_engine.jobspec import JobSpec
from kd_engine.networks.network import load_network, read_metadata
from kd_engine.platform import heartbeat
from kd_engine.platform.files import sha256_of
from kd_engine.schema.events import parse_event
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

WEIGHTS = ("student.safetensors", "baseline.safetensors", "teacher.safetensors")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorder]:
    out = tmp_path_factory.mktemp("run")
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heartbeat, "_EVERY_SECONDS", 0.0)  # all of them, not one a second
        ended = run_spec(DIGITS, out, recorder)
    assert ended.reason == "completed", ended.detail
    return out, recorder


def test_every_artifact_is_there_and_named(finished: tuple[Path, Recorder]) -> None:
    out, recorder = finished
    names = set(recorder.of("finished")[0].artifacts)
    assert names >= {*WEIGHTS, "report.json", "metrics.csv", "curves.png", "confusion.png"}
    assert names >= {"spec.json", "environment.json"}
    assert sum(name.startswith("tensorboard/") for name in names) == 3
    assert all((out / name).stat().st_size > 0 for name in names)


def test_the_stored_spec_is_resolved_and_runs_again(finished: tuple[Path, Recorder]) -> None:
    stored = json.loads((finished[0] / "spec.json").read_text())
    spec = JobSpec.model_validate(stored)
    assert spec.resolved() == spec == JobSpec.model_validate(DIGITS).resolved()


def test_same_spec_gives_bit_identical_networks(finished: tuple[Path, Recorder], tmp_path: Path) -> None:
    assert run_spec(DIGITS | {"name": "another name"}, tmp_path).reason == "completed"
    for name in WEIGHTS:
        assert sha256_of(tmp_path / name) == sha256_of(finished[0] / name)


def test_another_seed_gives_another_student(finished: tuple[Path, Recorder], tmp_path: Path) -> None:
    assert run_spec(DIGITS | {"seed": 1, "baseline": False}, tmp_path).reason == "completed"
    assert sha256_of(tmp_path / "student.safetensors") != sha256_of(finished[0] / "student.safetensors")


def test_the_student_file_holds_the_student_alone(finished: tuple[Path, Recorder]) -> None:
    path = finished[0] / "student.safetensors"
    with safe_open(path, framework="pt") as file:
        numbers = sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118 (not a dict)
    assert numbers == load_network(path).parameters == 64 * 16 + 16 + 16 * 10 + 10


def test_metadata_says_what_the_network_is(finished: tuple[Path, Recorder]) -> None:
    about = read_metadata(finished[0] / "student.safetensors")
    assert about["architecture"]["model"] == "mlp"
    assert about["architecture"]["classes"] == [str(digit) for digit in range(10)]
    assert about["architecture"]["mean"] == [0.0]
    assert about["provenance"]["dataset"] == "digits"
    assert len(about["provenance"]["data_sha256"]) == 64


def test_events_tell_the_whole_course(finished: tuple[Path, Recorder]) -> None:
    out, recorder = finished
    assert [event.phase for event in recorder.of("phase_ended")] == ["teacher", "baseline", "student"]
    epochs = [(event.phase, event.epoch) for event in recorder.of("epoch_end")]
    assert epochs == [(phase, epoch) for phase in ("teacher", "baseline", "student") for epoch in (1, 2)]
    fractions = [event.fraction for event in recorder.of("progress")]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    on_disk = [parse_event(line) for line in (out / "events.jsonl").read_bytes().splitlines()]
    assert [event for event in on_disk if event.type != "working"] == recorder.events


def test_signs_of_life_come_between_events_and_only_where_the_run_is_watched(finished: tuple[Path, Recorder]) -> None:
    out, recorder = finished
    on_disk = [parse_event(line) for line in (out / "events.jsonl").read_bytes().splitlines()]
    told = {event.doing for event in on_disk if event.type == "working"}
    assert told >= {"hashing the data set", "measuring a network", "timing a network"}
    assert not recorder.of("working")


def test_metrics_csv_has_a_line_an_epoch(finished: tuple[Path, Recorder]) -> None:
    rows = list(csv.DictReader((finished[0] / "metrics.csv").read_text().splitlines()))
    assert [(row["phase"], row["epoch"]) for row in rows] == [
        (phase, epoch) for phase in ("teacher", "baseline", "student") for epoch in ("1", "2")
    ]
    assert all(0 <= float(row["val_accuracy"]) <= 1 for row in rows)


def test_student_alone_and_distilled_start_from_the_same_weights_and_batches(tmp_path: Path) -> None:
    """With no soft term the distilled student is the student alone, bit for bit."""
    body = DIGITS | {"alpha": 0}
    assert run_spec(body, tmp_path).reason == "completed"
    student, alone = (load_network(tmp_path / name).module.state_dict() for name in WEIGHTS[:2])
    assert all(student[name].equal(alone[name]) for name in alone)


def test_repeats_share_a_teacher_and_report_over_seeds(tmp_path: Path) -> None:
    recorder = Recorder()
    assert run_spec(DIGITS | {"repeats": 3}, tmp_path, recorder).reason == "completed"
    phases = [(event.phase, event.repeat) for event in recorder.of("phase_ended")]
    assert phases == [("teacher", 0)] + [(phase, n) for n in range(3) for phase in ("baseline", "student")]
    report = json.loads((tmp_path / "report.json").read_text())
    assert [row["seeds"] for row in report["rows"]] == [1, 3, 3]
    assert report["difference"]["kind"] == "seeds and images"
    best = max(report["rows"][2]["runs"], key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    assert report["published_repeat"] == best["repeat"]
    assert read_metadata(tmp_path / "student.safetensors")["provenance"]["seed"] == best["seed"]


def test_a_teacher_for_each_repeat(tmp_path: Path) -> None:
    recorder = Recorder()
    body = DIGITS | {"repeats": 2, "teacher": DIGITS["teacher"] | {"per_repeat": True}, "baseline": False}
    assert run_spec(body, tmp_path, recorder).reason == "completed"
    teachers = [event for event in recorder.of("phase_ended") if event.phase == "teacher"]
    assert len(teachers) == 2
    assert teachers[0].metrics != teachers[1].metrics


def test_the_last_epoch_is_kept_when_asked(tmp_path: Path) -> None:
    recorder = Recorder()
    body = DIGITS | {"training": {"epochs": 3, "batch_size": 64, "keep": "last"}}
    assert run_spec(body, tmp_path, recorder).reason == "completed"
    assert all(event.metrics["best_epoch"] == 3 for event in recorder.of("phase_ended") if event.phase != "teacher")


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"training": {"epochs": 3, "optimizer": {"name": "sgd", "lr": 100}}}, "diverged", "not finite in epoch"),
        ({"dataset": "mnist"}, "data_error", "looked for"),
        ({"resources": {"device": "cuda"}}, "invalid_spec", "no GPU"),
    ],
)
def test_what_goes_wrong_is_the_reason(tmp_path: Path, changes: dict[str, Any], reason: str, says: str) -> None:
    ended = run_spec(DIGITS | {"student": "resnet20"} | changes, tmp_path)
    assert ended.reason == reason
    assert says in ended.detail
    assert not (tmp_path / "student.safetensors").exists()
