from __future__ import annotations

import pytest

from jobs.telemetry.spans import open_spans
from kd_engine.schema.events import PhaseEnded, PhaseStarted
from tests.jobs.telemetry.collector import collecting
from worker.attempt.phase_spans import PhaseSpans


def test_a_phase_that_its_trainer_did_not_end_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        spans = open_spans("distillery-worker")
        attempt = spans.begin("attempt", None)
        phases = PhaseSpans(spans, attempt.context)
        phases.heard(PhaseStarted(phase="teacher", repeat=0, epochs=2))
        phases.heard(PhaseEnded(phase="teacher", repeat=0, source="cache", metrics={}))
        phases.heard(PhaseEnded(phase="baseline", repeat=0, source="trained", metrics={}))  # began in another attempt
        phases.heard(PhaseStarted(phase="student", repeat=1, epochs=5, first_epoch=3))
        phases.close()
        spans.close()
    assert [(span.name, span.failed) for span in collector.spans] == [("phase teacher", False), ("phase student", True)]
    teacher, student = collector.spans
    assert {teacher.parent_id, student.parent_id} == {attempt.context.span_id}
    assert teacher.attributes["distillery.source"] == "cache"
    assert (student.attributes["distillery.repeat"], student.attributes["distillery.first_epoch"]) == (1, 3)
