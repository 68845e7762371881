"""An evaluation as a run of its own: its events, its artifacts, and how it ends when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kd_engine.__main__ import main
from kd_engine.networks.network import save_network
from kd_engine.schema.events import parse_event
from tests.kd_engine.evaluation.networks import a_network
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

BODY: dict[str, Any] = {"kind": "evaluate", "dataset": "digits", "model": {"job": "job_1", "role": "student"}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert run_spec(DIGITS, out).reason == "completed"
    return out


def test_it_finds_what_the_training_reported(trained: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    body = BODY | {"teacher": {"job": "job_1", "role": "teacher"}}
    networks = (trained / "student.safetensors", trained / "teacher.safetensors")
    ended = run_spec(body, tmp_path, recorder, networks)
    assert ended.reason == "completed", ended.detail
    assert set(ended.artifacts) == {"spec.json", "environment.json", "report.json", "confusion.png"}
    assert all((tmp_path / name).stat().st_size > 0 for name in ended.artifacts)
    assert json.loads((tmp_path / "spec.json").read_text())["kind"] == "evaluate"
    found = json.loads((tmp_path / "report.json").read_text())
    told = json.loads((trained / "report.json").read_text())["details"]["student"]
    same = ("test_accuracy", "test_top5", "test_loss", "test_ece", "teacher_agreement", "teacher_kl", "confusion")
    assert {key: found[key] for key in same} == {key: told[key] for key in same}
    assert json.loads((tmp_path / "environment.json").read_text())["precision"] == {"evaluate": found["precision"]}


def test_its_events_tell_its_course(trained: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    run_spec(BODY, tmp_path, recorder, networks=(trained / "student.safetensors",))
    kinds = [event.type for event in recorder.events]
    assert kinds == ["run_started", "phase_started", "progress", "progress", "phase_ended", "finished"]
    assert {event.phase for event in recorder.events if hasattr(event, "phase")} == {"evaluate"}
    assert [event.fraction for event in recorder.of("progress")] == [0, 1]
    assert recorder.of("phase_ended")[0].source == "given"
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    on_disk = [parse_event(line) for line in lines]
    assert [event for event in on_disk if event.type != "working"] == recorder.events


def test_it_stops_when_asked(trained: Path, tmp_path: Path) -> None:
    recorder = Recorder(stop_after=1)
    ended = run_spec(BODY, tmp_path, recorder, networks=(trained / "student.safetensors",))
    assert ended.reason == "interrupted"
    assert not (tmp_path / "report.json").exists()


def test_what_goes_wrong_is_the_reason(trained: Path, tmp_path: Path) -> None:
    assert run_spec(BODY, tmp_path).reason == "invalid_spec"
    (tmp_path / "junk").write_bytes(b"junk")
    assert run_spec(BODY, tmp_path, networks=(tmp_path / "junk",)).reason == "data_error"
    save_network(a_network(classes=3), tmp_path / "three", {})
    ended = run_spec(BODY, tmp_path, networks=(tmp_path / "three",))
    assert ended.reason == "invalid_spec"
    assert "the network does not fit the data" in ended.detail


def test_as_a_command(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(BODY))
    asked = ["run", str(tmp_path / "spec.json"), str(tmp_path / "out"), "--threads", "1"]
    assert main(asked) == 2
    assert "/model/job: another job's network is known to the service alone; give its file with --model" in (
        capsys.readouterr().err
    )
    assert main([*asked, "--model", str(trained / "student.safetensors")]) == 0
    assert "test images of digits right" in capsys.readouterr().out
