"""What a run reports, in the order in which it happens. Each event is one JSON object on a line of `events.jsonl`.

`phases` has the phases. `repeat` counts from 0; the teacher of all repeats is repeat 0.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from kd_engine.schema.document import Document
from kd_engine.schema.phases import Phase
from kd_engine.schema.warnings import SpecWarning


class _Event(Document):
    model_config = ConfigDict(allow_inf_nan=True)  # what a training that diverges has measured


_TRIAL = Field(
    None, exclude_if=lambda value: value is None, description="Of a sweep; the first one, where several share it."
)


class RunStarted(_Event):
    """The child is up; `resumed` when it goes on from a checkpoint."""

    type: Literal["run_started"] = "run_started"
    device: str
    threads: int
    resumed: bool = False
    version: int = Field(1, description="Of this event and those that follow.")


class Warned(_Event):
    """What the run, which has seen data and machine, says of its spec; comes before the first phase, or not at all."""

    type: Literal["warned"] = "warned"
    warnings: tuple[SpecWarning, ...]


class PhaseStarted(_Event):
    """A phase begins; `first_epoch` is above 0 when it goes on from a checkpoint."""

    type: Literal["phase_started"] = "phase_started"
    phase: Phase
    repeat: int
    trial: int | None = _TRIAL
    epochs: int
    first_epoch: int = 0


class Progress(_Event):
    """Where the run is, at most about once a second.

    Attributes:
        step: optimiser steps done in this epoch, of `steps`.
        fraction: of the whole job, 0 to 1.
        seconds_remaining: of the whole job, as estimated from the epochs so far; None while unknown.
        trials, trials_done: of a sweep, how many there are and have ended.
    """

    type: Literal["progress"] = "progress"
    phase: Phase
    repeat: int
    trial: int | None = _TRIAL
    epoch: int
    step: int
    steps: int
    fraction: float
    seconds_remaining: float | None
    trials: int | None = Field(None, exclude_if=lambda value: value is None)
    trials_done: int | None = Field(None, exclude_if=lambda value: value is None)


class Working(_Event):
    """A stretch without other events gets on (`kd_engine/platform/heartbeat.py`); no part of the job's history.

    Attributes:
        doing: what, for a person.
        patience_seconds: it is one call, of which nothing may be heard for so long; None: as of anything else.
    """

    type: Literal["working"] = "working"
    doing: str
    patience_seconds: float | None = None


class EpochEnd(_Event):
    """One epoch is done; `epoch` counts from 1.

    Attributes:
        metrics: `train_loss`, `val_loss`, the task's first metric on the validation split (`val_accuracy`, say), `lr`,
            `images_per_second`, `seconds`.
    """

    type: Literal["epoch_end"] = "epoch_end"
    phase: Phase
    repeat: int
    trial: int | None = _TRIAL
    epoch: int
    epochs: int
    metrics: dict[str, float]


class CheckpointSaved(_Event):
    """A checkpoint lies, whole, under `path` in the run's folder."""

    type: Literal["checkpoint_saved"] = "checkpoint_saved"
    path: str
    phase: Phase
    repeat: int
    trial: int | None = _TRIAL
    epoch: int


class PhaseEnded(_Event):
    """A phase is done and its network measured once on the test split.

    Attributes:
        source: `trained`, `cache` (an equal teacher was found by its hash) or `given` (weights of another job).
        metrics: `test_accuracy` (0 to 1), `test_loss`, `test_ece`; with more than five classes `test_top5`; compared
            with a teacher `teacher_agreement`, `teacher_kl`; after a training `val_accuracy`, `val_loss`, `best_epoch`.
    """

    type: Literal["phase_ended"] = "phase_ended"
    phase: Phase
    repeat: int
    trial: int | None = _TRIAL
    source: Literal["trained", "cache", "given"]
    metrics: dict[str, float]


class Finished(_Event):
    """The last event of an attempt.

    Attributes:
        reason: `completed`, or the `code` of the error that ended the run.
        artifacts: names of the files to publish, relative to the run's folder.
    """

    type: Literal["finished"] = "finished"
    reason: str
    detail: str = ""
    artifacts: tuple[str, ...] = ()


Event = Annotated[
    RunStarted | Warned | PhaseStarted | Progress | Working | EpochEnd | CheckpointSaved | PhaseEnded | Finished,
    Field(discriminator="type"),
]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
RECORDED = (RunStarted, Warned, PhaseStarted, EpochEnd, CheckpointSaved, PhaseEnded)
"""What becomes part of a job's history."""


def parse_event(line: str | bytes) -> Event:
    """The event on one line of `events.jsonl`; fields that a later version has added are passed over.

    Raises:
        pydantic.ValidationError: the line is not an event.
    """
    return _ADAPTER.validate_json(line, extra="ignore")
