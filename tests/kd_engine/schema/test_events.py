"""Events survive a line of JSON."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kd_engine.schema.events import (
    CheckpointSaved,
    EpochEnd,
    Event,
    Finished,
    PhaseEnded,
    PhaseStarted,
    Progress,
    RunStarted,
    Working,
    parse_event,
)
from kd_engine.schema.phases import PHASES

EVENTS: list[Event] = [
    RunStarted(device="cpu", threads=2, resumed=True),
    PhaseStarted(phase="teacher", repeat=0, epochs=12, first_epoch=3),
    Progress(phase="student", repeat=1, epoch=2, step=3, steps=430, fraction=0.25, seconds_remaining=None),
    Working(doing="compiling the teacher", patience_seconds=3600.0),
    EpochEnd(phase="baseline", repeat=0, epoch=1, epochs=2, metrics={"val_accuracy": 0.5, "lr": 1e-3}),
    CheckpointSaved(path="checkpoints/3", phase="student", repeat=0, epoch=3),
    PhaseEnded(phase="teacher", repeat=0, source="cache", metrics={"test_accuracy": 0.99}),
    Finished(reason="diverged", detail="line one\nline two", artifacts=("report.json",)),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_event_survives_a_line(event: Event) -> None:
    line = event.model_dump_json()

    assert "\n" not in line
    assert parse_event(line) == event
    assert parse_event(line.encode()) == event


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        '{"type": "unheard_of"}',
        '{"device": "cpu", "threads": 1}',
        '{"type": "run_started", "device": "cpu"}',
        '{"type": "phase_started", "phase": "assistant", "repeat": 0, "epochs": 1}',
    ],
)
def test_what_is_not_an_event_is_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        parse_event(line)


def test_what_a_later_version_adds_is_passed_over() -> None:
    line = '{"type": "run_started", "device": "cpu", "threads": 1, "version": 2, "more": {"of": 1}}'
    assert parse_event(line) == RunStarted(device="cpu", threads=1, version=2)


def test_phases_in_their_order() -> None:
    assert PHASES == ("teacher", "baseline", "student")
