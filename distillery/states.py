"""The states of a job, the edges between them, and the reasons for which a job ends.

    queued ──claim──> running ──finish──> succeeded | failed | cancelled
      │ │ ^               │  │
      │ │ └──lost, handed─┘  │
      │ │       back         │
      │ └──────pause─────────┴──pause──> paused ──resume──> queued
      │                                    │
      └──cancel──> cancelled <───cancel────┘

A wish to cancel or pause a running job is a flag that its worker obeys, not a state. Terminal states never change: a
retry of a job that ended is a new job.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self not in TRANSITIONS


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.PAUSED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED, JobState.PAUSED}
    ),
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
}


class EndReason(StrEnum):
    """Why a job ended. The reason alone decides the state, and whether running it again may help."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    INVALID_SPEC = "invalid_spec"
    DATA_ERROR = "data_error"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    WORKER_LOST = "worker_lost"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    QUEUE_TIMEOUT = "queue_timeout"
    INTERNAL_ERROR = "internal_error"

    @property
    def state(self) -> JobState:
        if self is EndReason.COMPLETED:
            return JobState.SUCCEEDED
        # a job that waits has no edge to failed: nothing of it went wrong
        called_off = self in {EndReason.CANCELLED, EndReason.QUEUE_TIMEOUT}
        return JobState.CANCELLED if called_off else JobState.FAILED

    @property
    def retryable(self) -> bool:
        """Whether the same job may succeed on another try, with nothing changed in it; its checkpoints are kept."""
        return self in {
            EndReason.OUT_OF_MEMORY,
            EndReason.DISK_FULL,
            EndReason.WORKER_LOST,
            EndReason.TIMEOUT,
            EndReason.STALLED,
            EndReason.QUEUE_TIMEOUT,
            EndReason.INTERNAL_ERROR,
        }

    @property
    def known_before(self) -> EndReason:
        """The nearest that programs of the version before know: they cannot show a job that ended for another."""
        new = {EndReason.STALLED: EndReason.WORKER_LOST, EndReason.QUEUE_TIMEOUT: EndReason.CANCELLED}
        return new.get(self, self)


def check_transition(source: JobState, target: JobState) -> None:
    """Raises ValueError when the table has no edge from `source` to `target`."""
    if target not in TRANSITIONS.get(source, frozenset()):
        raise ValueError(f"a job does not go from {source} to {target}")


class DeliveryState(StrEnum):
    """What became of a message to a webhook."""

    DUE = "due"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
