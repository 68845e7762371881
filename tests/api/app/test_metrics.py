"""What the API serves to Prometheus: a real server, a real scrape."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app.metrics import ApiMetrics, CountsCollector
from distillery.states import JobState
from jobs.database import Database
from jobs.settings import Settings
from tests.api.conftest import SPEC, Service, serving

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[tuple[Service, str]]:
    """An api that serves metrics, and where."""
    settings = Settings(home=tmp_path / "home", broker_url="memory://", metrics_port=0)
    with serving(settings) as service:
        yield service, f"http://127.0.0.1:{service.metrics_port}/metrics"


def scrape(url: str) -> Samples:
    with urllib.request.urlopen(url) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def test_jobs_requests_files_and_ends(measured: tuple[Service, str], tmp_path: Path) -> None:
    service, url = measured
    done = service.create()
    token = service.start(done)
    service.publish(done, token, "a.txt", b"0123456789", tmp_path)
    assert service.client.get(f"/jobs/{done}/artifacts/a.txt").content == b"0123456789"
    assert service.client.get(f"/jobs/{done}/artifacts/a.txt", headers={"Range": "bytes=2-4"}).content == b"234"
    waiting = service.create(resources={"device": "cuda"})
    service.create()
    service.client.post(f"/jobs/{waiting}/cancel")
    service.client.get(f"/jobs/{done}?wait=0.01")
    for path in ("/nothing", "/nothing/else", "/jobs/job_0"):
        assert service.client.get(path).status_code == 404

    samples = scrape(url)

    assert value(samples, "distillery_jobs", state="running", device="auto") == 1
    assert value(samples, "distillery_jobs", state="queued", device="auto") == 1
    assert value(samples, "distillery_jobs", state="cancelled", device="cuda") == 1
    assert value(samples, "distillery_jobs", state="failed", device="cpu") == 0
    age = value(samples, "distillery_queue_age_seconds", device="auto")
    assert age is not None
    assert age >= 0
    assert value(samples, "distillery_workers", device="cpu") == 0
    assert value(samples, "distillery_jobs_stalled") == 0
    assert value(samples, "distillery_database_up") == 1
    assert value(samples, "distillery_jobs_ended_total", reason="cancelled") == 1
    assert value(samples, "distillery_artifact_sent_bytes_total") == 13
    assert value(samples, "distillery_artifact_stored_bytes_total", kind="result") == 10
    assert value(samples, "distillery_event_streams") == 0

    def requests(route: str, method: str, status: str) -> float | None:
        return value(samples, "distillery_http_request_seconds_count", route=route, method=method, status=status)

    assert requests("/jobs", "POST", "2xx") == 3
    assert requests("/jobs/{job_id}/artifacts/{name:path}", "GET", "2xx") == 2
    assert requests("/jobs/{job_id}?wait", "GET", "2xx") == 1
    assert requests("/jobs/{job_id}", "GET", "4xx") == 1
    assert requests("unknown", "GET", "4xx") == 2


def test_an_open_event_stream_is_seen(measured: tuple[Service, str]) -> None:
    service, url = measured
    with service.client.stream("GET", f"/jobs/{service.create()}/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        assert value(scrape(url), "distillery_event_streams") == 1


def test_labels_are_bounded_whatever_callers_make_up(measured: tuple[Service, str]) -> None:
    service, url = measured
    before = len(scrape(url))
    for number, method in enumerate(("PROPFIND", "MKCOL", "LOCK", "SEARCH")):
        service.client.get(f"/made/up/{number}")
        service.client.request(method, "/jobs")
    # two histograms more at most: unknown paths, and unknown methods of a known path
    assert len(scrape(url)) - before <= 2 * 20


def test_the_service_itself_has_no_such_path_and_no_listener_unless_asked(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 404
    assert Settings().metrics_port is None


def test_a_database_that_is_away_is_said_and_the_rest_is_told(tmp_path: Path) -> None:
    database = Database("postgresql://nobody:secret@127.0.0.1:1/nothing")
    metrics = ApiMetrics(Settings(home=tmp_path))
    metrics.registry.register(CountsCollector(database))
    names = {family.name for family in metrics.registry.collect()}
    assert metrics.registry.get_sample_value("distillery_database_up") == 0
    assert "distillery_jobs" not in names
    assert "distillery_jobs_ended" in names


def test_every_state_has_its_series(measured: tuple[Service, str]) -> None:
    found = {dict(labels)["state"] for name, labels in scrape(measured[1]) if name == "distillery_jobs"}
    assert found == {state.value for state in JobState}


def test_a_request_without_a_job_is_measured_too(measured: tuple[Service, str]) -> None:
    service, url = measured
    assert service.client.post("/jobs", json=SPEC | {"temperature": 0}).status_code == 422
    count = value(scrape(url), "distillery_http_request_seconds_count", route="/jobs", method="POST", status="4xx")
    assert count == 1
