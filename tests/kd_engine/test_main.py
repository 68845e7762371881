"""The engine as a command: run, resume, evaluate, and its messages when the input is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kd_engine.__main__ import main
from kd_engine.networks.network import save_network
from tests.kd_engine.evaluation.networks import a_network
from tests.kd_engine.small_runs import DIGITS, run_spec


@pytest.fixture(autouse=True)
def _keep_signals() -> None:
    """`run` takes over SIGINT and SIGTERM of its process; here that is pytest's."""
    import signal

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield  # type: ignore[misc]
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_run_then_evaluate_gives_the_reports_accuracy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(DIGITS))
    assert main(["run", str(tmp_path / "spec.json"), str(tmp_path / "out"), "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    assert "teacher 0  trained  test" in shown
    assert "95 % interval" in shown
    for network, row in (("teacher", 0), ("baseline", 1), ("student", 2)):
        weights = tmp_path / "out" / f"{network}.safetensors"
        assert main(["evaluate", str(weights), "--dataset", "digits", "--threads", "1"]) == 0
        again = json.loads(capsys.readouterr().out)
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        assert again["test_accuracy"] == report["rows"][row]["test_accuracy"]["mean"]
        details = report["details"][network]
        changing = {"latency", "trainable_parameters", "scores", "teacher_agreement", "teacher_kl", "network", "repeat"}
        assert {key: again[key] for key in details if key not in changing} == {
            key: value for key, value in details.items() if key not in changing
        }


def test_a_wrong_spec_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(DIGITS | {"temprature": 3}))
    assert main(["run", str(tmp_path / "spec.json"), str(tmp_path / "out")]) == 2
    assert "/temprature: unknown key 'temprature'; did you mean 'temperature'?" in capsys.readouterr().err


def test_a_job_reference_needs_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(DIGITS | {"teacher": {"job": "job_1"}}))
    assert main(["run", str(tmp_path / "spec.json"), str(tmp_path / "out")]) == 2
    assert "--teacher" in capsys.readouterr().err


def test_evaluate_refuses_what_is_not_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "weights").write_bytes(b"MZ\x90 not weights")
    assert main(["evaluate", str(tmp_path / "weights"), "--dataset", "digits"]) == 1
    assert "data_error: weights is not a network of this project" in capsys.readouterr().err


def test_evaluate_compares_with_a_teacher_and_leaves_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_spec(DIGITS, tmp_path / "run").reason == "completed"
    student, teacher = (str(tmp_path / "run" / f"{name}.safetensors") for name in ("student", "teacher"))
    out = tmp_path / "again"
    asked = ["evaluate", student, "--dataset", "digits", "--teacher", teacher, "--out", str(out), "--device", "cpu"]
    assert main([*asked, "--threads", "1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    details = json.loads((tmp_path / "run" / "report.json").read_text())["details"]["student"]
    assert shown["teacher_agreement"] == details["teacher_agreement"]
    assert shown["teacher_kl"] == details["teacher_kl"]
    assert json.loads((out / "report.json").read_text()) == shown
    assert sorted(path.name for path in out.iterdir()) == ["confusion.png", "report.json"]


def test_evaluate_refuses_a_network_of_other_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_network(a_network(classes=3), tmp_path / "three.safetensors", {})
    assert main(["evaluate", str(tmp_path / "three.safetensors"), "--dataset", "digits"]) == 1
    assert "invalid_spec: the network does not fit the data" in capsys.readouterr().err
