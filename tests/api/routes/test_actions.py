"""Pause, resume and retry."""

from __future__ import annotations

import httpx
import pytest

from distillery.states import EndReason, JobState
from tests.api.conftest import Service

ENDED = [state for state in JobState if state.terminal]


def act(service: Service, job_id: str, verb: str) -> httpx.Response:
    return service.client.post(f"/jobs/{job_id}/{verb}")


def test_a_queued_job_is_paused_at_once_and_resumed(service: Service) -> None:
    job_id = service.create()
    for verb, state in (("pause", "paused"), ("pause", "paused"), ("resume", "queued"), ("resume", "queued")):
        answer = act(service, job_id, verb)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    kinds = [row["type"] for row in service.client.get(f"/jobs/{job_id}/events?format=json").json()["events"]]
    assert kinds == ["created", "paused", "resumed"]


def test_the_worker_of_a_running_job_is_asked_and_a_resume_takes_that_back(service: Service) -> None:
    job_id = service.job_in(JobState.RUNNING)
    for verb, asked in (("pause", True), ("pause", True), ("resume", False), ("resume", False)):
        answer = act(service, job_id, verb)
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["pause_requested"]) == ("running", asked)


def test_a_paused_job_can_be_cancelled(service: Service) -> None:
    job_id = service.job_in(JobState.PAUSED)
    assert act(service, job_id, "cancel").json()["state"] == "cancelled"
    assert act(service, job_id, "resume").status_code == 409


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_ended_job_is_neither_paused_nor_resumed(service: Service, verb: str, state: JobState) -> None:
    job_id = service.job_in(state)
    before = service.client.get(f"/jobs/{job_id}").content
    answer = act(service, job_id, verb)
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "wrong_state", state)
    assert service.client.get(f"/jobs/{job_id}").content == before


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_a_retry_is_a_new_job_once(service: Service, state: JobState) -> None:
    job_id = service.job_in(state)
    before = service.client.get(f"/jobs/{job_id}").content
    first = act(service, job_id, "retry")
    again = act(service, job_id, "retry")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["location"] == again.headers["location"] == f"/jobs/{first.json()['id']}"
    assert first.json()["id"] == again.json()["id"] != job_id
    assert first.json()["retry_of"] == job_id
    assert first.json()["spec"] == service.client.get(f"/jobs/{job_id}").json()["spec"]
    assert service.client.get(f"/jobs/{job_id}").content == before


def test_a_retry_may_be_retried_and_tells_its_present_state(service: Service) -> None:
    job_id = service.job_in(JobState.FAILED)
    second = act(service, job_id, "retry").json()["id"]
    service.end(second, EndReason.OUT_OF_MEMORY)
    again = act(service, job_id, "retry")
    assert (again.status_code, again.json()["state"]) == (200, "failed")
    third = act(service, second, "retry")
    assert (third.status_code, third.json()["retry_of"]) == (201, second)


@pytest.mark.parametrize("state", [state for state in JobState if state not in {JobState.FAILED, JobState.CANCELLED}])
def test_what_has_not_failed_is_not_retried(service: Service, state: JobState) -> None:
    answer = act(service, service.job_in(state), "retry")
    assert (answer.status_code, answer.json()["state"]) == (409, state)


def test_a_priority_is_shown(service: Service) -> None:
    job_id = service.create(priority=7)
    assert service.client.get(f"/jobs/{job_id}").json()["priority"] == 7
    assert service.client.get("/jobs?page_size=1").json()["jobs"][0]["priority"] == 7
