"""Whatever a caller asks for, it is never the database that refuses it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.http import page_tokens
from jobs.ids import new_id
from jobs.settings import Settings
from tests.api.conftest import Service, serving


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    with serving(Settings(home=tmp_path, broker_url="memory://", database_url=database_url)) as running:
        yield running


def _forged(position: str, filters: str) -> str:
    """A token that is no secret to make."""
    return base64.urlsafe_b64encode(page_tokens._mark(position, filters) + position.encode()).decode().rstrip("=")


BIG, NUL, LONG = "9" * 400, "\0", "x" * 30_000
UNKNOWN = new_id("job")


def asked(job_id: str) -> list[str]:
    """Paths to read."""
    values = ["0", "-1", "9223372036854775807", "9223372036854775808", BIG, "1e400", "%00", "%ff", "%ed%a0%80", LONG]
    times = [f"{year}-{rest}" for year in ("0001", "9999") for rest in ("01-01T00:00:00Z", "12-31T23:59:59%2B23:59")]
    times += ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59"]
    return [
        *(f"/jobs?{name}={value}" for name in ("page_size", "page_token", "name", "dataset", "label.a", "label.%00",
                                               f"label.{LONG[:9000]}", "state") for value in values),
        *(f"/jobs?created_after={time}" for time in times),
        *(f"/{path}?page_token={_forged(position, path)}" for path in ("datasets", "models")
          for position in (NUL, "a\0b", LONG, "\ud7ff", "")),
        *(f"/jobs/{job_id}/{below}={value}" for below in ("events?format=json&after", "events?format=json&page_size",
          "logs?after", "logs?tail", "logs?page_size") for value in values),
        *(f"/{kind}/{name}" for kind in ("jobs", "datasets", "models", "uploads")
          for name in ("%00", "job_%00", "job_%ed%a0%80", BIG, LONG, "job_" + "9" * 36)),
        *(f"/jobs/{job_id}/artifacts/{name}" for name in ("%00", "%ed%a0%80", BIG, LONG)),
    ]  # fmt: skip


def test_reads(service: Service) -> None:
    job_id = service.create()
    client = service.client
    for path in asked(job_id):
        answer = client.get(path)
        assert answer.status_code < 500, (path[:200], answer.text[:500])
    assert client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": BIG}).status_code < 500
    assert client.get("/jobs").status_code == 200


@pytest.mark.parametrize(("count", "status"), [(20, 200), (21, 422), (993, 422)])
def test_filters_by_many_labels(service: Service, count: int, status: int) -> None:
    answer = service.client.get("/jobs", params={f"label.k{number}": "v" for number in range(count)})
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["code"] == "too_many_filters"
        assert "20" in answer.json()["detail"]
    assert service.client.get("/jobs").status_code == 200


def test_bodies(service: Service) -> None:
    body = {"dataset": "digits", "teacher": "mlp", "student": "softmax_regression", "temperature": 5}
    huge = 10**300
    for changes in (
        {"seed": huge}, {"repeats": huge}, {"training": {"epochs": huge}}, {"resources": {"timeout_seconds": huge}},
        {"resources": {"priority": huge}}, {"keep_days": huge}, {"keep_days": 1e308}, {"labels": {"a": "\x01"}},
        {"labels": {LONG: LONG}}, {"name": LONG}, {"teacher": {"job": "job_\x01"}}, {"teacher": {"job": LONG}},
        {"teacher": {"ensemble": [{"job": UNKNOWN, "role": "student"}] * 2000}}, {"dataset": "ds_" + LONG},
        {"teacher": "mdl_" + LONG}, {"webhooks": [{"url": "https://x.example/" + LONG}]},
    ):  # fmt: skip
        answer = service.client.post("/jobs", json=body | changes)
        assert answer.status_code < 500, (str(changes)[:100], answer.text[:300])
    for path, asked_body in (("/models/promote", {"job": LONG}), ("/models/promote", {"job": UNKNOWN, "name": "\x01"})):
        assert service.client.post(path, json=asked_body).status_code < 500
