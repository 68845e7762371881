"""`?wait=`: an answer as soon as the job changes. A test that waited in vain would meet its client's time limit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from distillery.states import EndReason, JobState
from tests.api.conftest import Service
from tests.api.following import until, waiting


def meanwhile(service: Service, job_id: str, act: Callable[[], object], **headers: str) -> httpx.Response:
    """The answer to a read that waits, once `act` was done while it did."""
    url = service.client.base_url.join(f"/jobs/{job_id}?wait=60")
    with ThreadPoolExecutor(1) as pool:
        answer: Future[httpx.Response] = pool.submit(httpx.get, url, headers=headers, timeout=40)
        until(lambda: waiting(service, job_id) == 1)
        act()
        return answer.result()


@pytest.mark.parametrize("with_tag", [True, False])
def test_it_answers_when_the_job_changes(service: Service, with_tag: bool) -> None:
    job_id = service.create()
    tag = service.client.get(f"/jobs/{job_id}").headers["etag"]
    headers = {"If-None-Match": tag} if with_tag else {}
    answer = meanwhile(service, job_id, lambda: service.start(job_id), **headers)
    assert (answer.status_code, answer.json()["state"]) == (200, "running")
    assert answer.headers["etag"] != tag


def test_it_answers_at_once_when_the_caller_knows_an_older_one(service: Service) -> None:
    job_id = service.create()
    tag = service.client.get(f"/jobs/{job_id}").headers["etag"]
    service.start(job_id)
    answer = service.client.get(f"/jobs/{job_id}?wait=60", headers={"If-None-Match": tag})
    assert answer.json()["state"] == "running"


@pytest.mark.parametrize("state", [state for state in JobState if state.terminal])
def test_it_does_not_wait_for_a_job_that_has_ended(service: Service, state: JobState) -> None:
    job_id = service.job_in(state)
    answer = service.client.get(f"/jobs/{job_id}?wait=60")
    assert answer.json()["state"] == state
    same = service.client.get(f"/jobs/{job_id}?wait=60", headers={"If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304


def test_after_the_time_it_answers_with_what_there_is(service: Service) -> None:
    job_id = service.create()
    first = service.client.get(f"/jobs/{job_id}?wait=0.05")
    assert (first.status_code, first.json()["state"]) == (200, "queued")
    same = service.client.get(f"/jobs/{job_id}?wait=0.05", headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_a_job_that_is_deleted_meanwhile(service: Service) -> None:
    job_id = service.create()

    def delete() -> None:
        with service.context.database.write() as repository:
            repository.request_cancel(job_id)
            repository.delete(job_id)

    assert meanwhile(service, job_id, delete).status_code == 404


def test_progress_is_a_change(service: Service) -> None:
    job_id = service.create()
    token = service.start(job_id)
    answer = meanwhile(service, job_id, lambda: service.train(job_id, token))
    assert answer.json()["progress"] is not None
    service.end(job_id, EndReason.COMPLETED, token)


def test_who_leaves_gives_the_place_back(service: Service) -> None:
    job_id = service.create()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(service.client.base_url.join(f"/jobs/{job_id}?wait=60"), timeout=httpx.Timeout(30, read=0.3))
    until(lambda: waiting(service, job_id) == 0)
    until(lambda: service.context.change_notifier.open == 0)
