"""The command against a real API: what it prints where, and its exit status."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillery.cli.app import main
from distillery.states import EndReason
from jobs.auth import Scope, new_key
from jobs.settings import Settings
from kd_engine.schema.report import report_text
from tests.api.conftest import Service, serving
from tests.distillery.cli.test_report_table import REPORT
from tests.distillery.conftest import SPEC


@pytest.fixture(autouse=True)
def _address(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DISTILLERY_URL", url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(SPEC))
    return str(path)


def created(spec: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["jobs", "run", spec, "--detach", *options]) == 0
    return capsys.readouterr().out.strip()


def finished(service: Service, job_id: str, folder: Path) -> None:
    """As a worker would: it trains, and its report is there."""
    token = service.start(job_id)
    service.train(job_id, token)
    service.publish(job_id, token, "report.json", report_text(REPORT).encode(), folder)
    service.end(job_id, EndReason.COMPLETED, token)


def test_a_job_is_followed_to_its_verdict(
    spec: str, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        jobs: list[dict[str, Any]] = []
        while not jobs:
            time.sleep(0.05)
            jobs = service.client.get("/jobs?name=followed").json()["jobs"]
        finished(service, jobs[0]["id"], tmp_path)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    status = main(["jobs", "run", spec, "--set", "name=followed", "--wait", "100s"])
    worker.join()
    shown = capsys.readouterr()

    assert status == 0
    assert shown.out.endswith("verdict: no evidence. There is none.\n")
    assert shown.err.startswith("job_")
    assert "teacher" in shown.err
    assert "epoch   1/2" in shown.err


def test_what_is_printed_for_programs_is_one_object_or_id_a_line(
    spec: str, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = created(spec, capsys, "--set", 'labels={"series": "printed"}', "--set", "training.epochs=3")
    finished(service, job_id, tmp_path)
    assert main(["jobs", "watch", job_id, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert main(["jobs", "ps", "--label", "series=printed", "-q"]) == 0
    assert capsys.readouterr() == (f"{job_id}\n", "")
    assert main(["jobs", "ps", "--label", "series=printed"]) == 0
    assert capsys.readouterr().out.split("\t")[:3] == [job_id, "", "succeeded"]
    assert main(["jobs", "get", job_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"]["training"]["epochs"] == 3
    assert main(["report", job_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "no evidence"


def test_a_spec_is_checked_without_a_job(
    spec: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(Path(spec).read_text()))
    assert main(["jobs", "run", "-", "--dry-run", "--set", "student=mlp"]) == 0
    assert json.loads(capsys.readouterr().out)["student"]["model"] == "mlp"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--set", "temprature=3", "--set", "alpha=7"], 2, "/temprature: unknown key"),
        (["--set", "teacher.model=mlp"], 2, "--set teacher.model: 'teacher' is \"mlp\", which has no keys"),
        (["--wait", "soon"], 2, "'soon' is no time; expected one like 90s"),
    ],
)
def test_wrong_input_is_told_with_its_place(
    spec: str, arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended: int | str | None = main(["jobs", "run", spec, *arguments])
    except SystemExit as left:
        ended = left.code
    shown = capsys.readouterr()
    assert ended == status
    assert words in shown.err
    assert shown.out == ""


def test_each_end_has_its_exit_status(
    spec: str, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, failed, cancelled = (created(spec, capsys) for _ in range(3))
    service.end(failed, EndReason.DIVERGED)
    assert main(["jobs", "cancel", cancelled, "job_x"]) == 5  # each has its turn
    assert capsys.readouterr().out == f"{cancelled}\tcancelled\n"
    statuses = {
        ("jobs", "watch", waiting, "--wait", "0.05s"): 6,
        ("jobs", "watch", failed): 1,
        ("jobs", "watch", cancelled): 3,
        ("jobs", "resume", failed): 2,
        ("jobs", "get", "job_x/../y"): 5,
        ("report", waiting): 2,
        ("report", failed): 5,
        ("jobs", "run", str(tmp_path / "nothing.json")): 2,
        ("datasets", "push", str(tmp_path / "nothing")): 2,
        ("catalog", "nothing"): 2,
        ("jobs", "pause", waiting): 0,
        ("jobs", "resume", waiting): 0,
        ("jobs", "retry", failed): 0,
        ("jobs", "rm", failed): 0,
    }
    assert {arguments: main(list(arguments)) for arguments in statuses} == statuses
    assert f"To come back: distillery jobs watch {waiting}" in capsys.readouterr().err
    monkeypatch.setenv("DISTILLERY_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("distillery.cli.options.PATIENCE", 0.1)
    assert main(["jobs", "ps"]) == 1
    assert "no answer from http://127.0.0.1:1" in capsys.readouterr().err


def test_a_key_is_sent_and_one_that_may_not_is_told(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, entry = new_key("vision", [Scope.READ])
    with serving(Settings(home=tmp_path / "home", broker_url="memory://", api_keys=[entry])) as keyed:
        monkeypatch.setenv("DISTILLERY_URL", f"http://127.0.0.1:{keyed.port}")
        assert main(["jobs", "ps"]) == 4
        monkeypatch.setenv("DISTILLERY_API_KEY", key)
        assert main(["jobs", "ps"]) == 0
        assert main(["jobs", "run", spec]) == 4
    assert key not in "".join(capsys.readouterr())


def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(
    spec: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    job_id = created(spec, capsys)
    monkeypatch.setattr("distillery.cli.progress.ProgressLines.show", interrupted)

    assert main(["jobs", "watch", job_id]) == 130
    assert f"{job_id} goes on. To come back: distillery jobs watch {job_id}" in capsys.readouterr().err
    assert main(["jobs", "ps", "-q", "--state", "queued"]) == 0
    assert job_id in capsys.readouterr().out


def test_a_folder_and_a_network_are_sent_with_their_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.png").write_bytes(b"no picture")
    folder, logits = str(tmp_path / "photos"), str(tmp_path / "logits.npz")
    np.savez(logits, train=np.zeros((3, 10), np.float32), test=np.zeros((3, 10), np.float32))
    assert main(["datasets", "push", folder, "--set", "name=x"]) == 2
    assert "--set name: use --name" in capsys.readouterr().err
    assert main(["datasets", "push", folder, "--detach", "--name", "cats", "--set", "test=0.5"]) == 0
    shown = capsys.readouterr()
    assert main(["datasets", "get", shown.out.strip(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "cats"
    assert main(["models", "push", logits, "--dataset", "digits", "--detach", "--set", "channels=xyz"]) == 2
    assert main(["models", "push", logits, "--dataset", "digits", "--detach", "--json"]) == 0
    model = json.loads(capsys.readouterr().out)
    assert (model["name"], model["dataset"]) == ("logits", "digits")
    assert main(["models", "ls", "-q"]) == 0
    assert model["id"] in capsys.readouterr().out.split()
    assert main(["datasets", "rm", shown.out.strip(), "ds_none"]) == 5


def test_jobs_are_compared_where_they_differ(
    spec: str, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [created(spec, capsys, "--set", f"temperature={value}") for value in (2, 8)]
    for job_id in jobs:
        finished(service, job_id, tmp_path)

    assert main(["compare", *jobs, "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert {key for key in first if first[key] != second[key]} == {"id", "losses.0.temperature"}
    assert (first["losses.0.temperature"], second["losses.0.temperature"]) == ("2.0", "8.0")
    assert first["distilled, test accuracy"] == "92.35 % (91.35 to 93.35)"
    assert first["verdict"] == "no evidence"


def test_files_and_logs_and_the_catalogue(
    spec: str, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = created(spec, capsys)
    finished(service, job_id, tmp_path)
    assert main(["pull", job_id, "--to", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/out/report.json\n"
    assert main(["pull", job_id, "student.onnx"]) == 2
    assert "it has: report.json" in capsys.readouterr().err
    assert main(["jobs", "logs", job_id, "--follow"]) == 0
    assert main(["catalog", "losses"]) == 0
    assert "losses\tkl\t" in capsys.readouterr().out
    assert main(["catalog", "models", "mlp"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mlp"
