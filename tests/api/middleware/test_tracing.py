"""A request that makes a job takes up its caller's trace, or begins one."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from jobs.telemetry import logs
from tests.api.conftest import SPEC, Service
from tests.jobs.telemetry.test_trace import SPAN, TRACE

HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "congo=1"}


def test_the_callers_trace_is_kept_with_the_job_and_shown(service: Service) -> None:
    answer = service.client.post("/jobs", json=SPEC, headers=HEADERS)
    job_id = answer.json()["id"]
    assert answer.json()["trace_id"] == TRACE
    assert service.client.get(f"/jobs/{job_id}").json()["trace_id"] == TRACE
    with service.context.database.read() as repository:
        kept = repository.get(job_id).trace
    assert kept is not None
    assert kept.state == "congo=1"
    assert kept.span_id != SPAN, "the request is a span of its own, below its caller's"


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense", "tracestate": "congo=1"}])
def test_without_one_each_job_begins_its_own(service: Service, headers: dict[str, str]) -> None:
    first, second = (service.client.post("/jobs", json=SPEC, headers=headers).json()["trace_id"] for _ in range(2))
    assert len(first) == 32
    assert first != second


def test_a_repeated_post_gets_the_first_trace_again(service: Service) -> None:
    key = {"Idempotency-Key": "traced-once"}
    first = service.client.post("/jobs", json=SPEC, headers=HEADERS | key).json()
    assert service.client.post("/jobs", json=SPEC, headers=key).json()["trace_id"] == first["trace_id"] == TRACE


def test_a_retry_belongs_to_the_request_that_asked_for_it(service: Service) -> None:
    job_id = service.create()
    service.client.post(f"/jobs/{job_id}/cancel")
    assert service.client.post(f"/jobs/{job_id}/retry", headers=HEADERS).json()["trace_id"] == TRACE


@pytest.fixture
def written() -> Iterator[list[str]]:
    """The api's log, as JSON lines."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Keep()
    handler.setFormatter(logs.json_formatter())
    logger = logging.getLogger("api")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_the_log_names_the_job_and_its_trace(service: Service, written: list[str]) -> None:
    job_id = service.client.post("/jobs", json=SPEC, headers=HEADERS).json()["id"]
    (line,) = (json.loads(text) for text in written if job_id in text)
    assert (line["job_id"], line["trace_id"], line["logger"]) == (job_id, TRACE, "api.dependencies.context")
