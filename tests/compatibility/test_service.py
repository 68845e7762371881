"""A service goes on with what an earlier version has left: database, data set, networks, a paused job's checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from jobs.database import Database
from jobs.settings import Settings
from kd_engine.data.dataset import load
from kd_engine.evaluation.evaluate_file import evaluate_file
from kd_engine.jobspec import JobSpec
from kd_engine.schema.report import TrainingReport
from tests.api.conftest import Service, serving
from tests.compatibility.earlier import FOLDER, file, job_of, lay_out, specs, trained_report
from tests.kd_engine.small_runs import Recorder, run_spec


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(home=tmp_path_factory.mktemp("earlier"), broker_url="memory://")
    lay_out(settings.home)
    database = Database(settings.database_url)
    database.migrate()
    database.dispose()
    with serving(settings) as running:
        yield running


def test_jobs_their_events_and_reports_are_served(service: Service) -> None:
    jobs = service.client.get("/jobs").json()["jobs"]
    assert {job["id"] for job in jobs} == set(specs())
    assert {job["state"] for job in jobs} == {"succeeded", "paused"}
    trained = job_of("distill", "trained")
    assert service.client.get(f"/jobs/{trained}").json()["spec"] == specs()[trained]
    assert service.client.get(f"/jobs/{trained}/report").text == trained_report()
    page = service.client.get(f"/jobs/{trained}/events?format=json&page_size=5").json()
    assert [event["type"] for event in page["events"]][:3] == ["created", "claimed", "run_started"]


def test_a_data_set_and_a_network_that_were_sent_may_be_named(service: Service) -> None:
    [dataset] = service.client.get("/datasets").json()["datasets"]
    [model] = service.client.get("/models").json()["models"]
    manifest = service.client.get(f"/datasets/{dataset['id']}").json()["manifest"]
    assert (manifest["version"], manifest["task"]) == (1, "image_classification")
    body = {"dataset": dataset["id"], "teacher": model["id"], "student": "softmax_regression"}
    answer = service.client.post("/jobs?validate_only=true", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["spec"]["dataset"]["params"]["classes"] == ["top", "middle", "bottom"]


def test_a_network_scores_as_it_did(tmp_path: Path) -> None:
    trained, prepared = job_of("distill", "trained"), file(job_of("check"), "dataset.npz")
    spec = JobSpec.model_validate(specs()[trained])
    data = load(spec.dataset, tmp_path, False, tmp_path / "cache", prepared)
    report = TrainingReport.read(trained_report())
    for phase, details in report.details.items():
        found = evaluate_file(file(trained, f"{phase}.safetensors"), "rows", data, torch.device("cpu"))
        assert found.report.main == details.scores[report.main]


def test_a_paused_job_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    paused, recorder = job_of("distill", "paused"), Recorder()
    checkpoint, prepared = file(paused, "checkpoint-*"), file(job_of("check"), "dataset.npz")
    finished = run_spec(specs()[paused], tmp_path, recorder, resume_from=checkpoint, inputs={"dataset": prepared})
    assert finished.reason == "completed", finished.detail
    [started] = recorder.of("run_started")
    assert started.resumed
    assert recorder.of("phase_started")[0].first_epoch > 0
    assert json.loads((tmp_path / "report.json").read_text())["version"] == 2


def test_what_is_kept_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 200_000
