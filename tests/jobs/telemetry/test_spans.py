"""Spans with and without a collector, which is a real one: HTTP on loopback, protobuf decoded."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.telemetry import spans, trace
from jobs.telemetry.spans import Sent, Unsent, open_spans, spanning
from jobs.telemetry.trace import TraceContext
from tests.jobs.telemetry.collector import collecting

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
CALLER = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", state="congo=1")


def test_without_a_collector_a_span_has_its_place_and_nothing_is_loaded() -> None:
    opened = Unsent()
    first = opened.begin("first", None)
    below = opened.begin("below", first.context)
    assert below.context.trace_id == first.context.trace_id
    assert below.context.span_id != first.context.span_id
    program = (
        "import sys, jobs.telemetry.spans; jobs.telemetry.spans.open_spans('x'); print('opentelemetry' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, env={}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_collector_is_told_who_is_below_whom_and_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        opened = open_spans("distillery-test", "one")
        assert isinstance(opened, Sent)
        with spanning(opened.begin("outer", CALLER, "server", {"answer": 42})) as outer:
            assert trace.current() == outer.context
            spans.note("noted", True)
            inner = opened.begin("inner", outer.context)
            inner.end("it broke")
            inner.end()
        opened.close()
        opened.close()
    found = {span.name: span for span in collector.spans}
    assert collector.paths == {"/v1/traces"}
    assert found["outer"].service == "distillery-test"
    assert (found["outer"].trace_id, found["outer"].parent_id) == (CALLER.trace_id, CALLER.span_id)
    assert found["outer"].attributes == {"answer": 42, "noted": True}
    assert found["outer"].state == outer.context.state == "congo=1"
    assert (found["inner"].trace_id, found["inner"].parent_id) == (CALLER.trace_id, outer.context.span_id)
    assert (found["outer"].failed, found["inner"].failed) == (False, True)


def test_a_caller_that_wants_no_spans_of_its_trace_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        opened = open_spans("distillery-test")
        unwanted = opened.begin("unwanted", TraceContext(CALLER.trace_id, CALLER.span_id, sampled=False))
        opened.begin("wanted", None).end()
        unwanted.end()
        opened.close()
    assert [span.name for span in collector.spans] == ["wanted"]
    assert (unwanted.context.trace_id, unwanted.context.sampled) == (CALLER.trace_id, False)


def test_an_exception_fails_the_span_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        opened = open_spans("distillery-test")
        with pytest.raises(KeyError), spanning(opened.begin("broken", None)):
            raise KeyError("x")
        opened.close()
    assert [(span.name, span.failed) for span in collector.spans] == [("broken", True)]


def test_a_collector_that_is_not_there_costs_nothing_but_the_spans(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    opened = open_spans("distillery-test")
    with spanning(opened.begin("lost", None)) as span:
        assert trace.current() == span.context
    opened.close()


def test_a_variable_that_cannot_be_used_is_told_and_costs_the_spans_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    assert isinstance(open_spans("distillery-test"), Unsent)
    assert "no spans are sent" in caplog.text


def test_the_sdk_can_be_switched_off_as_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert isinstance(open_spans("distillery-test"), Unsent)
