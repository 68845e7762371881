"""Spans: what the service did for a job and how long it took, sent to whoever collects them.

They are sent (OTLP over HTTP) where the standard variable OTEL_EXPORTER_OTLP_ENDPOINT names a collector; the other
OTEL_* variables of its SDK work as everywhere. Without one, spans have their place in the trace and nothing more, and
none of OpenTelemetry is imported. A collector that is down costs spans, never a job or a caller's time.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, Protocol

from jobs.telemetry import trace
from jobs.telemetry.trace import TraceContext

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as SdkSpan

log = logging.getLogger(__name__)
Attribute = str | bool | int | float
Kind = Literal["server", "consumer", "internal"]
JOB_ID = "distillery.job.id"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SEND_SECONDS = 5.0
_GOODBYE_SECONDS = 3.0


class Span(Protocol):
    """Something that is going on."""

    @property
    def context(self) -> TraceContext:
        """Its place in the trace: what is done for it elsewhere goes on from here."""

    def note(self, key: str, value: Attribute) -> None:
        """Adds what is known only now."""

    def end(self, error: str | None = None) -> None:
        """It is over; with an error, it failed. Later calls change nothing."""


class Spans(Protocol):
    """Begins spans."""

    def begin(
        self,
        name: str,
        parent: TraceContext | None,
        kind: Kind = "internal",
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Span:
        """A span below `parent`; None: the first one of a new trace."""

    def close(self) -> None:
        """Sends what has ended, for as long as that takes or a few seconds. Later calls do nothing."""


def open_spans(service: str, instance: str | None = None) -> Spans:
    """The spans of this process.

    Args:
        service: its name in traces, where OTEL_SERVICE_NAME says nothing else.
        instance: which one of several.
    """
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or not any(os.environ.get(name) for name in _ENDPOINTS):
        return Unsent()
    try:
        return Sent(service, instance)
    except Exception:
        # whatever a variable of the SDK says that it cannot use: jobs are worth more than their spans
        log.exception("no spans are sent: the OTEL_* variables cannot be used")
        return Unsent()


_CURRENT: ContextVar[Span | None] = ContextVar("span", default=None)


@contextmanager
def spanning(span: Span) -> Iterator[Span]:
    """The block is the span: its log lines name it, an exception fails it, and it ends with the block."""
    token = _CURRENT.set(span)
    try:
        with trace.within(span.context):
            yield span
    except BaseException as error:
        span.end(type(error).__name__)
        raise
    finally:
        _CURRENT.reset(token)
        span.end()


def note(key: str, value: Attribute) -> None:
    """Adds to the span in which this code runs, if any."""
    span = _CURRENT.get()
    if span is not None:
        span.note(key, value)


class _Placed:
    """A span that nobody is told of."""

    def __init__(self, context: TraceContext) -> None:
        self.context = context

    def note(self, key: str, value: Attribute) -> None:
        return

    def end(self, error: str | None = None) -> None:
        return


class Unsent:
    """Spans where nobody collects them."""

    def begin(
        self,
        name: str,
        parent: TraceContext | None,
        kind: Kind = "internal",
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Span:
        return _Placed(TraceContext.new() if parent is None else parent.child())

    def close(self) -> None:
        return


class Sent:
    """Spans for a collector, sent in the background by OpenTelemetry's SDK."""

    def __init__(self, service: str, instance: str | None) -> None:
        self._provider = _provider(service, instance)
        self._tracer = self._provider.get_tracer("distillery")
        self._once, self._closed = threading.Lock(), False

    def begin(
        self,
        name: str,
        parent: TraceContext | None,
        kind: Kind = "internal",
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Span:
        from opentelemetry import trace as otel
        from opentelemetry.context import Context
        from opentelemetry.trace.span import TraceState

        context = Context()
        if parent is not None:
            flags = otel.TraceFlags(otel.TraceFlags.SAMPLED if parent.sampled else otel.TraceFlags.DEFAULT)
            state = TraceState.from_header([parent.state]) if parent.state else None
            remote = otel.SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), True, flags, state)
            context = otel.set_span_in_context(otel.NonRecordingSpan(remote), context)
        kinds = {"server": otel.SpanKind.SERVER, "consumer": otel.SpanKind.CONSUMER, "internal": otel.SpanKind.INTERNAL}
        return _Sent(self._tracer.start_span(name, context, kinds[kind], attributes), parent)

    def close(self) -> None:
        with self._once:
            if self._closed:
                return
            self._closed = True
        # bounded by this side: with a collector that does not answer, the SDK itself may take half a minute
        ending = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(_GOODBYE_SECONDS)


class _Sent:
    def __init__(self, span: SdkSpan, parent: TraceContext | None) -> None:
        self._span, self._over = span, False
        given = span.get_span_context()
        self.context = TraceContext(
            f"{given.trace_id:032x}",
            f"{given.span_id:016x}",
            sampled=given.trace_flags.sampled,
            state=parent.state if parent else "",
        )

    def note(self, key: str, value: Attribute) -> None:
        self._span.set_attribute(key, value)

    def end(self, error: str | None = None) -> None:
        from opentelemetry.trace import Status, StatusCode

        if self._over:
            return
        self._over = True
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


def _provider(service: str, instance: str | None) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    about = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    about |= {} if instance is None else {"service.instance.id": instance}
    timeout = None if os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") else _SEND_SECONDS
    # its own exit handler would wait for a collector that does not answer
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
    return provider
