"""A job as those see it who run the service: one trace from POST to the phases, metrics, and a log that names it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psutil
import pytest

from distillery.states import JobState
from jobs.settings import Settings
from jobs.tables import Job
from jobs.telemetry import logs
from jobs.telemetry.spans import open_spans
from tests.api.conftest import serving
from tests.jobs.telemetry.collector import collecting
from tests.jobs.telemetry.test_trace import SPAN, TRACE
from tests.kd_engine.small_runs import DIGITS
from tests.worker.conftest import QUICK, SLOW, Running, look, run_next, trainers
from worker.attempt.lease import Lease
from worker.context import Services

Submit = Callable[[dict[str, Any]], str]


@contextmanager
def json_log(*loggers: str) -> Iterator[list[dict[str, Any]]]:
    """What these loggers write meanwhile."""
    lines: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(self.format(record)))

    handler = Keep()
    handler.setFormatter(logs.json_formatter())
    named = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in named]
    for logger in named:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield lines
    for logger, level in zip(named, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_one_trace_from_post_to_the_phases_of_the_trainer(
    services: Services, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_json = settings.model_copy(update={"log_format": "json"})
    with collecting() as collector, json_log("worker", "trainer") as lines:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with serving(settings.model_copy(update={"broker_url": "memory://"})) as api:
            headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
            job_id = api.client.post("/jobs", json=DIGITS, headers=headers).json()["id"]
            observed = replace(services, settings=in_json, spans=open_spans("distillery-worker"))
            done = run_next(observed)
            observed.spans.close()
        found = collector.wait_for("POST /jobs", "attempt", "phase teacher", "phase baseline", "phase student")
    assert done.state is JobState.SUCCEEDED, done.end_detail

    assert {span.trace_id for span in collector.spans} == {TRACE}
    post, attempt = found["POST /jobs"], found["attempt"]
    assert (post.parent_id, attempt.parent_id) == (SPAN, post.span_id)
    assert (post.service, attempt.service) == ("distillery-api", "distillery-worker")
    assert post.attributes["distillery.job.id"] == attempt.attributes["distillery.job.id"] == job_id
    assert (attempt.attributes["distillery.attempt"], attempt.attributes["distillery.end"]) == (1, "completed")
    for phase in ("teacher", "baseline", "student"):
        span = found[f"phase {phase}"]
        assert (span.parent_id, span.failed) == (attempt.span_id, False)
        assert (span.attributes["distillery.phase"], span.attributes["distillery.source"]) == (phase, "trained")

    about = {"job_id": job_id, "attempt": 1, "token": 1, "trace_id": TRACE, "span_id": attempt.span_id}
    assert {line["logger"] for line in lines} >= {"worker.attempt.execute", "trainer"}
    assert all(about.items() <= line.items() for line in lines)
    # the trainer's lines are those that its user reads, word for word
    with services.database.read() as repository:
        shown = [line.line for line in repository.log(job_id, 0, 1000)]
    assert [line["message"] for line in lines if line["logger"] == "trainer"] == shown

    value = observed.metrics.registry.get_sample_value
    assert value("distillery_training_epochs_total", {"phase": "student"}) == 2
    assert value("distillery_jobs_ended_total", {"reason": "completed"}) == 1
    assert value("distillery_job_run_seconds_count") == 1
    assert value("distillery_artifact_stored_bytes_total", {"kind": "result"}) > 0  # type: ignore[operator]
    assert value("distillery_worker_busy") == value("distillery_training_images_per_second") == 0


def test_the_trainer_hears_of_the_trace_and_of_no_collector(
    services: Services, submit: Submit, start: Callable[[str], Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    job_id = submit(SLOW)
    running = start(job_id)
    running.wait_for("epoch_end")
    (environment,) = [psutil.Process(trainer.pid).environ() for trainer in trainers(services.settings)]
    value = services.metrics.registry.get_sample_value
    assert value("distillery_worker_busy") == 1
    assert value("distillery_training_images_per_second") > 0  # type: ignore[operator]
    assert 0 < value("distillery_training_progress_ratio") < 1  # type: ignore[operator]
    with services.database.write() as repository:
        repository.request_cancel(job_id)
    assert running.join().state is JobState.CANCELLED
    assert environment["TRACEPARENT"].startswith("00-")
    assert not [name for name in environment if name.startswith("OTEL_")]


def test_a_lease_that_is_lost_is_counted_and_its_lines_name_the_job(
    services: Services, submit: Submit, start: Callable[[str], Running]
) -> None:
    with json_log("worker") as lines:
        job_id = submit(SLOW)
        running = start(job_id)
        running.wait_for("epoch_end")
        with services.database.write() as repository:  # as the lease reaper does once the lease is over
            repository.lose(job_id, 1, 3, "its worker was silent")
        running.join()
    assert services.metrics.registry.get_sample_value("distillery_lease_losses_total") == 1
    assert lines
    assert all(line["job_id"] == job_id for line in lines)


def test_the_thread_that_renews_a_lease_names_the_job_too(services: Services, submit: Submit) -> None:
    job_id = submit(QUICK)
    with json_log("worker") as lines, logs.bound(job_id=job_id), Lease(services.database, services.settings, job_id, 1):
        deadline = time.monotonic() + 60
        while not lines:  # nobody has claimed the job under that token
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert [(line["logger"], line["job_id"]) for line in lines] == [("worker.attempt.lease", job_id)]


def test_a_collector_that_is_away_costs_the_job_nothing(
    services: Services, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(logging.getLogger("opentelemetry"), "disabled", True)
    observed = replace(services, spans=open_spans("distillery-worker"))
    job_id = submit(QUICK)
    ended: Job = run_next(observed)
    observed.spans.close()
    assert ended.end_reason == "data_error", "the job itself, which names a network that is gone"
    assert look(services, job_id).attempt == 1
