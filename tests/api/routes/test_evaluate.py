"""Jobs of kind `evaluate`: recorded like any other, and refused where the network cannot be had."""

from __future__ import annotations

import re
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from tests.api.conftest import SPEC, Service


def _evaluation(job: str, **network: str) -> dict[str, Any]:
    return {"kind": "evaluate", "dataset": "digits", "model": {"job": job, **network}}


def test_an_evaluation_is_a_job(service: Service) -> None:
    trained = service.job_in(JobState.SUCCEEDED)
    body = _evaluation(trained) | {"name": "again", "labels": {"what": "check"}}
    dry = service.client.post("/jobs?validate_only=true", json=body)
    assert dry.status_code == 200, dry.text
    answer = service.client.post("/jobs", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["spec"] == dry.json()["spec"]
    assert made["spec"]["model"] == {"job": trained, "role": "student"}
    listed = service.client.get("/jobs", params={"name": "again", "label.what": "check", "dataset": "digits"}).json()
    assert [job["id"] for job in listed["jobs"]] == [made["id"]]
    assert service.client.post(f"/jobs/{made['id']}/cancel").status_code == 200


@pytest.mark.parametrize("key", ["model", "teacher"])
@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.FAILED])
def test_its_networks_must_be_there(service: Service, key: str, state: JobState) -> None:
    good, bad = service.job_in(JobState.SUCCEEDED), service.job_in(state)
    for job, code in ((bad, "job_not_succeeded"), ("job_0000", "job_not_found")):
        problem = service.client.post("/jobs", json=_evaluation(good) | {key: {"job": job}}).json()
        (error,) = problem["errors"]
        assert (problem["status"], error["pointer"], error["code"]) == (422, f"/{key}/job", code)


def test_a_student_that_was_not_trained_alone_is_not_there(service: Service) -> None:
    job = service.create(baseline=False)
    service.end(job, EndReason.COMPLETED)
    problem = service.client.post("/jobs", json=_evaluation(job, role="baseline")).json()
    assert problem["errors"][0]["code"] == "job_without_network"
    assert service.client.post("/jobs", json=_evaluation(job, role="teacher")).status_code == 201
    job = service.job_in(JobState.SUCCEEDED)
    assert service.client.post("/jobs", json=_evaluation(job, role="baseline")).status_code == 201


def test_an_evaluation_has_no_network_to_learn_from(service: Service) -> None:
    evaluation = service.client.post("/jobs", json=_evaluation(service.job_in(JobState.SUCCEEDED))).json()["id"]
    service.end(evaluation, EndReason.COMPLETED)
    for body in (SPEC | {"teacher": {"job": evaluation}}, _evaluation(evaluation)):
        problem = service.client.post("/jobs", json=body).json()
        assert problem["errors"][0]["code"] == "job_without_network"


def test_a_network_of_other_images_does_not_fit(service: Service) -> None:
    job = service.create(student={"model": "mlp", "params": {"num_classes": 10}})
    service.end(job, EndReason.COMPLETED)
    body = _evaluation(job) | {"dataset": "cifar10"}
    problem = service.client.post("/jobs", json=body).json()
    assert {error["code"] for error in problem["errors"]} <= {"does_not_fit", "data_set_absent"}
    assert problem["status"] == 422


def test_a_network_of_other_classes_is_told_by_their_numbers(service: Service) -> None:
    """In the words of an evaluation, which has no parameters to leave out."""
    job = service.create(student={"model": "mlp", "params": {"num_classes": 10}})
    service.end(job, EndReason.COMPLETED)
    two = {"name": "arrays", "params": {"path": "two.npz", "classes": ["cat", "dog"]}}
    (service.context.settings.data_dir).mkdir(parents=True, exist_ok=True)
    (service.context.settings.data_dir / "two.npz").write_bytes(b"is looked at by the worker")
    for body in (_evaluation(job) | {"dataset": two}, SPEC | {"dataset": two, "teacher": {"job": job}}):
        [error] = service.client.post("/jobs", json=body).json()["errors"]
        assert error["code"] == "does_not_fit"
        assert re.search("10 classes.*, and arrays has 2", error["message"])
        assert "leave it out" not in error["message"]


def test_an_unknown_kind_is_named(service: Service) -> None:
    problem = service.client.post("/jobs", json=SPEC | {"kind": "evalute"}).json()
    assert problem["errors"][0]["pointer"] == "/kind"
    assert "did you mean 'evaluate'" in problem["errors"][0]["message"]
