from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from distillery.resources import JobPage, JobView
from distillery.states import EndReason, JobState
from kd_engine.jobspec import JobSpec
from kd_engine.schema.events import Warned
from tests.api.conftest import SPEC, Service

ENDED = [state for state in JobState if state.terminal]


def test_a_job_is_created_with_its_resolved_spec(client: httpx.Client) -> None:
    answer = client.post("/jobs", json=SPEC)
    job = JobView.model_validate(answer.json())
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/jobs/{job.id}"
    assert job.state is JobState.QUEUED
    assert job.spec == JobSpec.model_validate(SPEC).resolved().to_json()
    assert JobSpec.model_validate(job.spec).resolved().to_json() == job.spec
    assert client.get(answer.headers["location"]).json() == answer.json()


def test_validate_only_resolves_and_stores_nothing(client: httpx.Client) -> None:
    mark = {"labels": {"test": "validate_only"}}
    answer = client.post("/jobs?validate_only=true", json=SPEC | mark, headers={"Idempotency-Key": "validate-only"})
    assert answer.status_code == 200
    resolved = JobSpec.model_validate(SPEC | mark).resolved().to_json()
    assert answer.json() == {"spec": resolved, "warnings": [], "names": {}}
    assert client.get("/jobs?label.test=validate_only").json()["jobs"] == []
    assert client.post("/jobs", json=SPEC, headers={"Idempotency-Key": "validate-only"}).status_code == 201


def test_what_can_hardly_be_meant_is_told_when_posted_and_kept_with_the_job(service: Service) -> None:
    client = service.client
    odd = SPEC | {"training": {"epochs": 3, "schedule": {"name": "cosine", "warmup_epochs": 5}}}
    headers = {"Idempotency-Key": "with-warnings"}

    told = client.post("/jobs?validate_only=true", json=odd).json()["warnings"]
    posted = client.post("/jobs", json=odd, headers=headers)
    job_id = posted.json()["id"]

    pointer = "/training/schedule/warmup_epochs"
    assert [(warning["code"], warning["pointer"]) for warning in told] == [("warm_up_too_long", pointer)]
    assert posted.json()["warnings"] == client.get(f"/jobs/{job_id}").json()["warnings"] == told

    more = (*told, {"code": "idle_devices", "pointer": "/resources/devices", "message": "two cores"})
    with service.context.database.write() as repository:
        found = Warned.model_validate({"warnings": more})
        repository.record(job_id, service.start(job_id), [found])
    assert client.get(f"/jobs/{job_id}").json()["warnings"] == list(more)
    assert client.post("/jobs", json=odd, headers=headers).content == posted.content


def test_the_same_key_gets_the_first_answer_whatever_happened_since(service: Service) -> None:
    headers = {"Idempotency-Key": "first-answer"}
    first = service.client.post("/jobs", json=SPEC, headers=headers)
    service.train(first.json()["id"], service.start(first.json()["id"]))
    again = service.client.post("/jobs", json=SPEC, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    other = service.client.post("/jobs", json=SPEC | {"seed": 1}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_parallel_posts_with_one_key_make_one_job(service: Service) -> None:
    ids = []

    def post() -> None:
        answer = httpx.post(
            service.client.base_url.join("/jobs"),
            json=SPEC,
            headers={"Idempotency-Key": "parallel"},
            timeout=30,
        )
        ids.append(answer.json()["id"])

    threads = [threading.Thread(target=post) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 12
    assert len(set(ids)) == 1


@pytest.mark.parametrize("key", ["", "with space", "k" * 256, "é"])
def test_a_bad_key_is_refused(client: httpx.Client, key: str) -> None:
    answer = client.post("/jobs", json=SPEC, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


def test_reading_shows_where_a_running_job_is(service: Service) -> None:
    job_id = service.create(name="progress")
    service.train(job_id, service.start(job_id))
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["phase"], job["attempt"]) == ("running", "student", 1)
    wanted = {"epoch": 2, "step": 3, "steps": 10, "fraction": 0.5, "seconds_remaining": 9.5}
    assert wanted.items() <= job["progress"].items()
    assert job["metrics"]["val_accuracy"] == 0.5
    assert job["times"]["started"].endswith("Z")
    for name, path in job["links"].items():
        if name != "events":  # a stream, which goes on for as long as the job runs
            assert service.client.get(path).status_code != 404


def test_only_if_the_job_is_as_it_was(service: Service) -> None:
    job_id = service.create()
    url = f"/jobs/{job_id}"
    etag = service.client.get(url).headers["etag"]
    assert service.client.get(url, headers={"If-Match": etag}).status_code == 200
    service.start(job_id)
    for path in (url, f"{url}?wait=60"):
        answer = service.client.get(path, headers={"If-Match": etag})
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")


def test_etag_changes_with_the_job(service: Service) -> None:
    job_id = service.create()
    first = service.client.get(f"/jobs/{job_id}")
    etag = first.headers["etag"]
    for sent in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        same = service.client.get(f"/jobs/{job_id}", headers={"If-None-Match": sent})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    service.start(job_id)
    changed = service.client.get(f"/jobs/{job_id}", headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


@pytest.mark.parametrize(
    "job_id", ["job_01", "job_00000000000000000000000000", "nonsense", "job_%00", "job_%F0", "%20"]
)
@pytest.mark.parametrize(
    ("method", "below"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/retry"),
        ("GET", "?wait=5"),
        ("GET", "/events"),
        ("GET", "/events?format=json"),
        ("GET", "/metrics"),
        ("GET", "/logs"),
        ("GET", "/deliveries"),
        ("GET", "/report"),
        ("GET", "/artifacts"),
        ("GET", "/artifacts/report.json"),
    ],
)
def test_a_job_that_does_not_exist(client: httpx.Client, job_id: str, method: str, below: str) -> None:
    answer = client.request(method, f"/jobs/{job_id}{below}")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_cancel_stops_a_waiting_job_at_once_and_asks_for_a_running_one(service: Service) -> None:
    waiting, running = service.job_in(JobState.QUEUED), service.job_in(JobState.RUNNING)
    for status, job_id, state in ((200, waiting, "cancelled"), (202, running, "running")):
        for _ in range(2):
            answer = service.client.post(f"/jobs/{job_id}/cancel")
            assert (answer.status_code, answer.json()["state"]) == (status, state)
    assert service.client.get(f"/jobs/{running}").json()["cancel_requested"] is True


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
def test_cancel_of_an_ended_job_tells_its_state(service: Service, state: JobState) -> None:
    answer = service.client.post(f"/jobs/{service.job_in(state)}/cancel")
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "wrong_state", state)


@pytest.mark.parametrize("state", ENDED)
def test_an_ended_job_can_be_deleted(service: Service, state: JobState) -> None:
    job_id = service.job_in(state)
    answer = service.client.delete(f"/jobs/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert service.client.get(f"/jobs/{job_id}").status_code == 404


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_a_job_that_has_not_ended_cannot_be_deleted(service: Service, state: JobState) -> None:
    job_id = service.job_in(state)
    answer = service.client.delete(f"/jobs/{job_id}")
    assert (answer.status_code, answer.json()["state"]) == (409, state)
    assert service.client.get(f"/jobs/{job_id}").status_code == 200


def test_paging_goes_through_all_jobs_once_newest_first(service: Service) -> None:
    made = [service.create(labels={"test": "paging"}) for _ in range(7)]
    seen: list[str] = []
    query = {"label.test": "paging", "page_size": "3"}
    while True:
        page = JobPage.model_validate(service.client.get("/jobs", params=query).json())
        seen += [job.id for job in page.jobs]
        service.create(labels={"test": "paging"})
        if page.next_page_token is None:
            break
        query["page_token"] = page.next_page_token
    assert seen == made[::-1]


def test_a_page_is_capped(service: Service) -> None:
    for _ in range(21):
        service.create(labels={"test": "capped"})
    page = service.client.get("/jobs", params={"label.test": "capped", "page_size": str(10**30)}).json()
    assert len(page["jobs"]) == service.context.settings.page_size_max == 20


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "failed"}, {"ended"}),
        ({"state": "queued"}, {"plain", "other"}),
        ({"name": "other"}, {"other"}),
        ({"label.kind": "x"}, {"plain", "ended"}),
        ({"label.kind": "x", "label.more": "y=z"}, {"ended"}),
        ({"dataset": "digits", "student": "mlp"}, {"other"}),
        ({"dataset": "mnist"}, set()),
        ({"created_after": "2020-01-01T00:00:00Z"}, {"plain", "other", "ended"}),
        ({"created_after": "2020-01-01T00:00:00.5+02:00"}, {"plain", "other", "ended"}),
        ({"created_after": "2999-01-01T00:00:00-01:00"}, set()),
    ],
)
def test_filters(filtered: Service, query: dict[str, str], found: set[str]) -> None:
    page = filtered.client.get("/jobs", params=query | {"label.test": "filters"}).json()
    assert {job["name"] for job in page["jobs"]} == found


@pytest.fixture(scope="module")
def filtered(service: Service) -> Service:
    marks = {"test": "filters"}
    service.create(name="plain", labels=marks | {"kind": "x"})
    service.create(name="other", student="mlp", labels=marks)
    ended = service.create(name="ended", labels=marks | {"kind": "x", "more": "y=z"})
    service.end(ended, EndReason.DIVERGED)
    return service


BAD_QUERIES: list[tuple[str, str, str, str]] = [
    ("/jobs?page_size=0", "bad_parameter", "page_size", "greater than or equal to 1"),
    ("/jobs?page_size=-3", "bad_parameter", "page_size", "greater than or equal to 1"),
    ("/jobs?page_size=ten", "bad_parameter", "page_size", "integer"),
    ("/jobs?state=done", "bad_parameter", "state", "'succeeded'"),
    ("/jobs?state=queued&state=failed", "bad_parameter", "state", "twice"),
    ("/jobs?label.a=1&label.a=2", "bad_parameter", "label.a", "twice"),
    ("/jobs?name=a%00b", "bad_parameter", "name", "U+0000"),
    ("/jobs?created_after=yesterday", "bad_parameter", "created_after", "RFC 3339"),
    ("/jobs?created_after=2026-01-31T12:00:00", "bad_parameter", "created_after", "RFC 3339"),
    ("/jobs?created_after=1e300", "bad_parameter", "created_after", "RFC 3339"),
    ("/jobs?created_after=2026-99-31T12:00:00Z", "bad_parameter", "created_after", "month"),
    ("/jobs?stat=queued", "unknown_parameter", "stat", "did you mean 'state'"),
    ("/jobs?label.=x", "unknown_parameter", "label.", "label.K"),
    ("/jobs?labels=x", "unknown_parameter", "labels", "Known here"),
    ("/jobs/{id}/events?after=-1", "bad_parameter", "after", "greater than or equal to 0"),
    (f"/jobs/{{id}}/events?after={2**63}", "bad_parameter", "after", "less than or equal"),
    ("/jobs/{id}/events?page_size=0", "bad_parameter", "page_size", "greater than or equal to 1"),
    ("/jobs/{id}/events?format=xml", "bad_parameter", "format", "'sse'"),
    ("/jobs/{id}/metrics?format=xml", "bad_parameter", "format", "'csv'"),
    ("/jobs/{id}/logs?format=csv", "bad_parameter", "format", "'text'"),
    ("/jobs/{id}/logs?tail=0", "bad_parameter", "tail", "greater than or equal to 1"),
    ("/jobs/{id}/logs?tail=3&after=2", "bad_parameter", "tail", "one of them"),
    ("/jobs/{id}?wait=61", "bad_parameter", "wait", "less than or equal to 60"),
    ("/jobs/{id}?wait=-1", "bad_parameter", "wait", "greater than or equal to 0"),
    ("/jobs/{id}?wait=nan", "bad_parameter", "wait", "finite"),
    ("/jobs/{id}?wiat=5", "unknown_parameter", "wiat", "did you mean 'wait'"),
]


@pytest.mark.parametrize(("path", "code", "parameter", "text"), BAD_QUERIES)
def test_bad_query_parameters(service: Service, path: str, code: str, parameter: str, text: str) -> None:
    answer = service.client.get(path.replace("{id}", service.create()))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["code"], error["parameter"]) == (400, code, parameter)
    assert text in error["message"]


def test_an_unknown_parameter_of_a_post_is_refused(client: httpx.Client) -> None:
    answer = client.post("/jobs?validateonly=true", json=SPEC)
    assert answer.json()["code"] == "unknown_parameter"
    assert "did you mean 'validate_only'" in answer.json()["detail"]


def test_what_a_user_writes_comes_back_as_data(client: httpx.Client) -> None:
    name = "a\r\nX-Evil: 1\x1b[31m<script>alert(1)</script>\u2028\U0001f600"
    body: dict[str, Any] = SPEC | {"name": name, "labels": {"<b>": "\x07"}}
    answer = client.post("/jobs", json=body)
    assert "x-evil" not in answer.headers
    assert b"\x1b" not in answer.content
    assert b"\n" not in answer.content
    assert client.get(answer.headers["location"]).json()["name"] == name
    assert answer.headers["content-type"] == "application/json"
    assert [job["name"] for job in client.get("/jobs", params={"name": name}).json()["jobs"]] == [name]
