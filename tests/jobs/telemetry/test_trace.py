from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.database import Database
from jobs.telemetry import trace
from jobs.telemetry.trace import TraceContext
from tests.jobs.samples import a_spec, create, read

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_the_example_of_the_standard() -> None:
    context = TraceContext.parse(f"00-{TRACE}-{SPAN}-01", "congo=t61rcWkgMzE")
    assert context == TraceContext(TRACE, SPAN, sampled=True, state="congo=t61rcWkgMzE")
    assert context.traceparent == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01\n00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_trace_is_ignored_as_the_standard_has_it(header: str | None) -> None:
    assert TraceContext.parse(header) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert TraceContext.parse(f"cc-{TRACE}-{SPAN}-03-what-comes-then") == TraceContext(TRACE, SPAN)
    assert TraceContext.parse(f"00-{TRACE}-{SPAN}-02") == TraceContext(TRACE, SPAN, sampled=False)


@pytest.mark.parametrize("state", ["x" * 513, "line\nbreak", "\u00fcmlaut=1", "nul=\0"])
def test_a_state_that_could_not_be_stored_is_left_out(state: str) -> None:
    assert TraceContext.parse(f"00-{TRACE}-{SPAN}-01", state) == TraceContext(TRACE, SPAN)


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    context = TraceContext.parse(text, text)
    assert context is None or TraceContext.parse(context.traceparent, context.state) == context


def test_a_child_is_another_span_of_the_same_trace() -> None:
    parent = TraceContext.new()
    child = parent.child()
    assert child.trace_id == parent.trace_id
    assert child.span_id != parent.span_id
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", child.traceparent)


def test_a_job_keeps_the_span_that_it_was_made_in(database: Database) -> None:
    context = TraceContext(TRACE, SPAN, sampled=False, state="congo=1")
    with trace.within(context), database.write() as repository:
        job_id = repository.create(a_spec()).id
    assert read(database, job_id).trace == context
    assert database.snapshot(job_id)[0].trace == context
    assert read(database, create(database)).trace is None


def test_a_child_process_hears_of_it_through_its_environment() -> None:
    assert trace.environment() == {}
    with trace.within(TraceContext(TRACE, SPAN, state="congo=1")):
        assert trace.environment() == {"TRACEPARENT": f"00-{TRACE}-{SPAN}-01", "TRACESTATE": "congo=1"}
