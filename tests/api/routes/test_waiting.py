"""Why a queued job waits, also in its ETag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import Settings
from tests.api.conftest import SPEC, Service, serving


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """An api without any worker, and with room for one running job."""
    with serving(Settings(home=tmp_path, broker_url="memory://", quota_running=1)) as running:
        yield running


def beat(service: Service, device: str, lacks: str | None = None) -> None:
    with service.context.database.write() as repository:
        repository.beat(f"worker-{device}", device, None, lacks)


def waiting(service: Service, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = service.client.get(f"/jobs/{job_id}").json()["waiting_for"]
    return found


@pytest.mark.parametrize(
    ("asked", "there", "says"),
    [
        ("auto", [], "python -m worker"),
        ("cpu", ["cuda"], "KD_DEVICE=cpu"),
        ("cuda", ["cpu"], "KD_DEVICE=cuda"),
        ("cuda", [], "device 'cuda'"),
    ],
)
def test_without_a_worker_for_its_device(own: Service, asked: str, there: list[str], says: str) -> None:
    for device in there:
        beat(own, device)
    answer = own.client.post("/jobs", json=SPEC | {"resources": {"device": asked}})
    found = answer.json()["waiting_for"]
    assert found["code"] == "no_worker"
    assert says in found["detail"]
    assert waiting(own, answer.json()["id"]) == found


@pytest.mark.parametrize(("asked", "there"), [("auto", "cpu"), ("auto", "cuda"), ("cpu", "cpu"), ("cuda", "cuda")])
def test_with_a_worker_it_is_a_matter_of_turns(own: Service, asked: str, there: str) -> None:
    beat(own, there)
    job_id = own.create(resources={"device": asked})
    assert waiting(own, job_id)["code"] == "turn"


def test_a_job_waits_for_room_where_no_worker_for_it_has_any(own: Service) -> None:
    beat(own, "cuda")
    beat(own, "cpu", "0 MiB are free for its scratch folder")
    for_cpu, for_any = own.create(resources={"device": "cpu"}), own.create()
    assert waiting(own, for_cpu)["code"] == "no_room"
    assert waiting(own, for_any)["code"] == "turn"
    beat(own, "cpu")
    assert waiting(own, for_cpu)["code"] == "turn"


def test_a_job_over_its_owners_quota(own: Service) -> None:
    beat(own, "cpu")
    first = own.create()
    own.start(first)
    assert waiting(own, first) is None
    found = waiting(own, own.create())
    assert found["code"] == "quota"
    assert "1 job " in found["detail"]


def test_the_etag_changes_with_the_reason(own: Service) -> None:
    """A worker that comes or goes changes the body, though not the job."""
    job_id = own.create()
    first = own.client.get(f"/jobs/{job_id}")
    assert own.client.get(f"/jobs/{job_id}", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    beat(own, "cpu")
    second = own.client.get(f"/jobs/{job_id}", headers={"If-None-Match": first.headers["etag"]})
    assert (second.status_code, second.json()["waiting_for"]["code"]) == (200, "turn")
    with own.context.database.write() as repository:
        repository.forget_worker("worker-cpu")
    third = own.client.get(f"/jobs/{job_id}", headers={"If-None-Match": second.headers["etag"]})
    assert (third.status_code, third.json()["waiting_for"]["code"]) == (200, "no_worker")
    assert third.headers["etag"] == first.headers["etag"]
    assert third.content == first.content


def test_the_first_answer_stays_the_first_whatever_came_since(own: Service) -> None:
    headers = {"Idempotency-Key": "k"}
    first = own.client.post("/jobs", json=SPEC, headers=headers)
    assert first.json()["waiting_for"]["code"] == "no_worker"
    beat(own, "cpu")
    again = own.client.post("/jobs", json=SPEC, headers=headers)
    assert again.content == first.content


@pytest.mark.parametrize("verb", ["resume", "retry"])
def test_also_where_a_job_is_queued_again(own: Service, verb: str) -> None:
    job_id = own.create()
    own.client.post(f"/jobs/{job_id}/{'pause' if verb == 'resume' else 'cancel'}")
    assert waiting(own, job_id) is None
    assert own.client.post(f"/jobs/{job_id}/{verb}").json()["waiting_for"]["code"] == "no_worker"


def test_its_place_is_told_while_it_waits(own: Service) -> None:
    first, second, urgent = own.create(), own.create(), own.create(priority=5)
    expected = {urgent: 1, first: 2, second: 3}
    assert {job_id: own.client.get(f"/jobs/{job_id}").json()["position"] for job_id in expected} == expected
    listed = own.client.get("/jobs", params={"state": "queued"}).json()["jobs"]
    assert {job["id"]: job["position"] for job in listed} == expected
    posted = own.client.post("/jobs", json=SPEC | {"priority": 1}, headers={"Idempotency-Key": "placed"})
    assert posted.json()["position"] == 2
    own.client.post(f"/jobs/{urgent}/cancel")
    assert own.client.get(f"/jobs/{urgent}").json()["position"] is None
    assert own.client.post("/jobs", json=SPEC | {"priority": 1}, headers={"Idempotency-Key": "placed"}).content == (
        posted.content
    )
    assert own.client.post(f"/jobs/{urgent}/retry").json()["position"] == 1


def test_a_place_that_changes_is_another_answer_about_the_same_job(own: Service) -> None:
    first, second = own.create(), own.create()
    before = own.client.get(f"/jobs/{second}")
    own.client.post(f"/jobs/{first}/cancel")
    tag = {"If-None-Match": before.headers["etag"]}
    after = own.client.get(f"/jobs/{second}?wait=30", headers=tag)  # at once: it is not what the tag names
    assert (after.status_code, before.json()["position"], after.json()["position"]) == (200, 2, 1)
    assert own.client.get(f"/jobs/{second}", headers={"If-Match": before.headers["etag"]}).status_code == 200
    own.client.post(f"/jobs/{second}/pause")
    assert own.client.get(f"/jobs/{second}", headers={"If-Match": before.headers["etag"]}).status_code == 412
