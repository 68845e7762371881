"""What was sent is looked at by a worker and then taught from by the jobs that name it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo
from jobs.repository import Sent
from jobs.tables import SentModel
from kd_engine.jobspec import RegisterSpec
from kd_engine.platform.files import sha256_of
from tests.kd_engine.intake.networks import linear_onnx
from tests.kd_engine.small_runs import DIGITS
from tests.stores import content, exists
from tests.worker.conftest import look, run_next
from worker.context import Services

Submit = Callable[[dict[str, Any]], str]


def _send(services: Services, content: bytes, tmp_path: Path) -> Sent[SentModel]:
    path = tmp_path / "sent.onnx"
    path.write_bytes(content)
    sha256, size, key = sha256_of(path), path.stat().st_size, "up_1/onnx"
    services.store.put(path, key)
    upload = ArtifactInfo("upload", "upload", "application/octet-stream", size, sha256, key)
    body = {"kind": "register", "dataset": "digits", "upload_sha256": sha256, "format": "onnx", "name": "my net"}
    with services.database.write() as repository:
        return repository.create_model(RegisterSpec.model_validate(body), upload)[0]


def test_a_network_is_verified_and_taught_from(services: Services, submit: Submit, tmp_path: Path) -> None:
    sent = _send(services, linear_onnx(["N", 8, 8, 1], softmax=True), tmp_path)
    run_next(services)
    looked = look(services, sent.job.id)
    assert (looked.state, looked.end_detail) == (JobState.SUCCEEDED, "")
    assert not exists(services.store, "up_1/onnx"), "what was sent is not needed any more"
    teacher = {"job": sent.job.id, "role": "model"}
    taught = submit(DIGITS | {"teacher": teacher, "baseline": False})
    measured = submit({"kind": "evaluate", "dataset": "digits", "model": teacher})
    for _ in (taught, measured):
        run_next(services)
    reports = [_report(services, job_id) for job_id in (sent.job.id, taught, measured)]
    accuracy = reports[0]["test_accuracy"]
    assert accuracy > 0.9
    assert reports[1]["rows"][0]["test_accuracy"]["mean"] == accuracy
    assert reports[2]["test_accuracy"] == accuracy
    names = {"id": sent.row.id, "name": "my net"}
    assert [report["names"] for report in reports] == [{}, {"teacher": names}, {"model": names}]


def _report(services: Services, job_id: str) -> dict[str, Any]:
    job = look(services, job_id)
    assert (job.state, job.end_detail) == (JobState.SUCCEEDED, "")
    with services.database.read() as repository:
        key = repository.artifact(job_id, "report.json").key
    return dict(json.loads(content(services.store, key)))


def test_classes_in_another_order_fail_with_the_right_one(services: Services, tmp_path: Path) -> None:
    sent = _send(services, linear_onnx(["N", 64], order=[1, 0, *range(2, 10)][::-1]), tmp_path)
    run_next(services)
    looked = look(services, sent.job.id)
    assert (looked.state, looked.end_reason) == (JobState.FAILED, EndReason.DATA_ERROR)
    assert "classes=9,8,7,6,5,4,3,2,0,1" in (looked.end_detail or "")
