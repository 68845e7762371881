"""The phases of an attempt as spans, made from what its trainer reports; the engine itself knows nothing of them."""

from __future__ import annotations

from jobs.telemetry.spans import Span, Spans
from jobs.telemetry.trace import TraceContext
from kd_engine.schema.events import Event, PhaseEnded, PhaseStarted


class PhaseSpans:
    """A span for each phase, below the attempt's."""

    def __init__(self, spans: Spans, attempt: TraceContext | None) -> None:
        self._spans, self._attempt = spans, attempt
        self._open: dict[tuple[str, int, int | None], Span] = {}

    def heard(self, event: Event) -> None:
        """Begins or ends one."""
        if isinstance(event, PhaseStarted):
            about: dict[str, str | int] = {
                "distillery.phase": event.phase,
                "distillery.repeat": event.repeat,
                "distillery.epochs": event.epochs,
                "distillery.first_epoch": event.first_epoch,
            }
            if event.trial is not None:
                about["distillery.trial"] = event.trial
            span = self._spans.begin(f"phase {event.phase}", self._attempt, attributes=about)
            self._open[self._name(event)] = span
        elif isinstance(event, PhaseEnded) and self._name(event) in self._open:
            ended = self._open.pop(self._name(event))
            ended.note("distillery.source", event.source)
            ended.end()

    @staticmethod
    def _name(event: PhaseStarted | PhaseEnded) -> tuple[str, int, int | None]:
        return event.phase, event.repeat, event.trial

    def close(self) -> None:
        """The trainer is gone: what it did not end failed."""
        for span in self._open.values():
            span.end("the attempt ended in this phase")
        self._open.clear()
