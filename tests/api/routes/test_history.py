from __future__ import annotations

import csv
import io

import pytest

from distillery.resources import EventPage, MetricSeries
from distillery.states import EndReason
from jobs.repository import Repository
from jobs.tables import Metric
from tests.api.conftest import Service


@pytest.fixture(scope="module")
def trained(service: Service) -> str:
    job_id = service.create()
    token = service.start(job_id)
    service.train(job_id, token)
    service.end(job_id, EndReason.COMPLETED, token)
    return job_id


def test_events_page_by_page_without_gaps(service: Service, trained: str) -> None:
    seen, after = [], 0
    while True:
        query = {"after": after, "page_size": 2}
        answer = service.client.get(f"/jobs/{trained}/events", params=query, headers={"Accept": "application/json"})
        assert answer.headers["vary"] == "Accept"
        page = EventPage.model_validate(answer.json())
        seen += page.events
        if page.next_after is None:
            break
        after = page.next_after
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    kinds = [event.type for event in seen]
    assert kinds == ["created", "claimed", "epoch_end", "epoch_end", "epoch_end", "ended"]
    assert seen[-1].data["reason"] == "completed"


def test_events_after_the_last_one_are_an_empty_page(service: Service, trained: str) -> None:
    answer = service.client.get(f"/jobs/{trained}/events?after={2**63 - 1}&format=json")
    assert answer.json() == {"events": [], "next_after": None}


def test_metrics_come_by_phase_as_they_run(service: Service, trained: str) -> None:
    series = MetricSeries.model_validate(service.client.get(f"/jobs/{trained}/metrics").json())
    assert [(row.phase, row.repeat, row.epoch) for row in series.metrics] == [
        ("teacher", 0, 1), ("baseline", 0, 1), ("student", 0, 1),
    ]  # fmt: skip
    assert series.metrics[2].metrics == {"val_accuracy": 0.5, "train_loss": 1.25, "lr": 0.1}


@pytest.mark.parametrize("size", [1, 2, 3])
def test_metrics_are_read_some_at_a_time(
    service: Service, trained: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A job may have millions: the server holds a page of them."""
    url = f"/jobs/{trained}/metrics"
    whole, table = service.client.get(url).json(), service.client.get(f"{url}?format=csv").text
    monkeypatch.setattr("api.routes.metrics._PAGE", size)
    asked: list[int] = []
    real = Repository.metrics_page

    def metrics_page(repository: Repository, job_id: str, after: Metric | None, limit: int) -> list[Metric]:
        asked.append(limit)
        return real(repository, job_id, after, limit)

    monkeypatch.setattr(Repository, "metrics_page", metrics_page)
    assert service.client.get(url).json() == whole
    assert service.client.get(f"{url}?format=csv").text == table
    assert set(asked) == {size}


@pytest.mark.parametrize(
    ("query", "accept"), [("?format=csv", "*/*"), ("", "text/csv"), ("", "text/html, Text/CSV;q=0.9")]
)
def test_metrics_as_csv(service: Service, trained: str, query: str, accept: str) -> None:
    answer = service.client.get(f"/jobs/{trained}/metrics{query}", headers={"Accept": accept})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0] == {
        "phase": "teacher", "repeat": "0", "epoch": "1", "lr": "", "train_loss": "1.25", "val_accuracy": "0.5",
    }  # fmt: skip
    assert rows[2]["lr"] == "0.1"


def test_the_format_asked_for_wins_over_accept(service: Service, trained: str) -> None:
    answer = service.client.get(f"/jobs/{trained}/metrics?format=json", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "application/json"


def test_a_job_that_has_not_run_has_no_metrics(service: Service) -> None:
    job_id = service.create()
    assert service.client.get(f"/jobs/{job_id}/metrics").json() == {"metrics": []}
    assert service.client.get(f"/jobs/{job_id}/metrics?format=csv").text == "phase,repeat,epoch\r\n"
