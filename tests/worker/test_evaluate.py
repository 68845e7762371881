"""An evaluation of an earlier job's network, by a real trainer process, from the artifact store."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from distillery.states import EndReason, JobState
from tests.kd_engine.small_runs import DIGITS
from tests.stores import content
from tests.worker.conftest import look, run_next
from worker.context import Services

Submit = Callable[[dict[str, Any]], str]


def _report(services: Services, job_id: str) -> dict[str, Any]:
    with services.database.read() as repository:
        key = repository.artifact(job_id, "report.json").key
    report: dict[str, Any] = json.loads(content(services.store, key))
    return report


def test_a_finished_network_is_measured_again(trained: str, services: Services, submit: Submit) -> None:
    evaluation = submit(
        {"kind": "evaluate", "dataset": "digits", "model": {"job": trained, "role": "baseline"},
         "teacher": {"job": trained, "role": "teacher"}}
    )  # fmt: skip
    run_next(services)
    job = look(services, evaluation)
    assert (job.state, job.end_reason) == (JobState.SUCCEEDED, EndReason.COMPLETED)
    assert job.progress is not None
    assert (job.progress["phase"], job.progress["fraction"]) == ("evaluate", 1.0)
    with services.database.read() as repository:
        names = {row.name for row in repository.artifacts(evaluation)}
    assert names == {"report.json", "spec.json", "environment.json", "confusion.png"}
    again, told = _report(services, evaluation), _report(services, trained)["details"]["baseline"]
    for key in ("test_accuracy", "test_loss", "test_ece", "teacher_kl", "confusion", "file_bytes"):
        assert again[key] == told[key]


def test_an_ensembles_members_are_brought_from_their_jobs(trained: str, services: Services, submit: Submit) -> None:
    other = submit(DIGITS | {"seed": 1, "student": "softmax_regression", "baseline": False})
    members = [{"job": trained, "role": "teacher"}, {"job": other, "role": "student"}]
    taught = submit(DIGITS | {"teacher": {"ensemble": members}, "baseline": False})
    for _ in (other, taught):
        run_next(services)
    rows = [_report(services, trained)["rows"][0], _report(services, other)["rows"][-1]]
    parameters = [row["parameters"] for row in rows]
    teacher = _report(services, taught)["rows"][0]
    assert (teacher["model"], teacher["parameters"]) == ("ensemble", sum(parameters))


def test_a_network_that_is_gone_fails_the_job(services: Services, submit: Submit) -> None:
    evaluation = submit({"kind": "evaluate", "dataset": "digits", "model": {"job": "job_0"}})
    run_next(services)
    job = look(services, evaluation)
    assert (job.state, job.end_reason) == (JobState.FAILED, EndReason.DATA_ERROR)
    assert job.end_detail is not None
    assert "the model cannot be had" in job.end_detail
