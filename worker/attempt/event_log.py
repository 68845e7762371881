"""Writes a run's events into the trainer's log, as sentences."""

from __future__ import annotations

import logging

from kd_engine.schema.events import (
    CheckpointSaved,
    EpochEnd,
    Event,
    Finished,
    PhaseEnded,
    PhaseStarted,
    RunStarted,
    Warned,
)

log = logging.getLogger("trainer")


def log_event(event: Event) -> None:
    """A line for each event but progress; for warnings, one for each of them."""
    line = _line(event)
    if line is not None:
        log.info("%s", line)


def _line(event: Event) -> str | None:
    match event:
        case RunStarted():
            begun = "going on from a checkpoint" if event.resumed else "starting"
            return f"{begun}, on {event.device} with {event.threads} threads"
        case Warned():
            return "\n".join(f"warning: {warning.pointer}: {warning.message}" for warning in event.warnings)
        case PhaseStarted():
            return f"{_name(event)}: {event.epochs} epochs, {event.first_epoch} of them done"
        case EpochEnd():
            return f"{_name(event)}: epoch {event.epoch} of {event.epochs}: {_numbers(event.metrics)}"
        case CheckpointSaved():
            return f"{_name(event)}: a checkpoint in epoch {event.epoch}"
        case PhaseEnded():
            return f"{_name(event)}: done ({event.source}): {_numbers(event.metrics)}"
        case Finished():
            return f"{event.reason}: {event.detail}" if event.detail else event.reason
    return None


def _name(event: PhaseStarted | EpochEnd | CheckpointSaved | PhaseEnded) -> str:
    trial = "" if event.trial is None else f" of trial {event.trial}"
    return f"{event.phase} {event.repeat}{trial}"


def _numbers(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
