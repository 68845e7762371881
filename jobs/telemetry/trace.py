"""W3C trace context (https://www.w3.org/TR/trace-context): which trace a job belongs to, from POST to the trainer.

It is there with or without anybody who collects spans (`spans.py`): the log and the job name the trace either way.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from jobs.telemetry import logs

# Two zeros are the only version that exists; a later one begins like it and may go on after another dash.
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_STATE = re.compile(r"[\x20-\x7e\t]{1,512}")
_SAMPLED = 1


@dataclass(frozen=True)
class TraceContext:
    """A span's place in its trace.

    Attributes:
        trace_id, span_id: 32 and 16 hexadecimal digits.
        sampled: whether its spans are wanted.
        state: what the caller's own tools keep with the trace, passed on as it came; empty for nothing.
    """

    trace_id: str
    span_id: str
    sampled: bool = True
    state: str = ""

    @classmethod
    def new(cls) -> TraceContext:
        """The first span of a new trace."""
        return cls(_random_hex(16), _random_hex(8))

    @classmethod
    def parse(cls, traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
        """What the two headers say; None where there is no `traceparent`, or nonsense, which the standard ignores."""
        found = _PARENT.fullmatch((traceparent or "").strip())
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
            return None
        state = (tracestate or "").strip()
        return cls(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), state if _STATE.fullmatch(state) else "")

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self) -> TraceContext:
        """A new span below this one."""
        return replace(self, span_id=_random_hex(8))


_CURRENT: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def current() -> TraceContext | None:
    """The span in which this code runs; None outside of any."""
    return _CURRENT.get()


@contextmanager
def within(context: TraceContext) -> Iterator[None]:
    """What runs in the block belongs to this span, and its log lines name it."""
    token = _CURRENT.set(context)
    try:
        with logs.bound(trace_id=context.trace_id, span_id=context.span_id):
            yield
    finally:
        _CURRENT.reset(token)


def environment() -> dict[str, str]:
    """The variables by which a process that is started here hears of the trace that it works for."""
    context = current()
    if context is None:
        return {}
    return {"TRACEPARENT": context.traceparent} | ({"TRACESTATE": context.state} if context.state else {})


def columns() -> dict[str, str | None]:
    """The present span, as a job's row keeps it."""
    context = current()
    if context is None:
        return {"traceparent": None, "tracestate": None}
    return {"traceparent": context.traceparent, "tracestate": context.state or None}


def _random_hex(size: int) -> str:
    while not any(drawn := secrets.token_bytes(size)):
        continue  # all zeros means "none"
    return drawn.hex()
