"""After-commit events: what a transaction did that operators count, told once it is committed, never when rolled back.

Every end of a job goes through one function of the repository, whoever brings it about: a worker, the lease reaper, a
user who cancels. So it is told there, and whichever process it happened in counts it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from distillery.states import EndReason

_KEY = "committed events"


@dataclass(frozen=True)
class JobStarted:
    """A worker took a job that had been in the queue for so long."""

    waited_seconds: float


@dataclass(frozen=True)
class JobEnded:
    """A job came to its end; its attempts ran for so long in all."""

    reason: EndReason
    ran_seconds: float


@dataclass(frozen=True)
class AttemptLost:
    """An attempt was given up: its trainer died, or its worker let the lease end."""


@dataclass(frozen=True)
class FileListed:
    """A stored file of so many bytes has become part of a job."""

    kind: str
    size: int


CommittedEvent = JobStarted | JobEnded | AttemptLost | FileListed


def after_commit(session: Session, item: CommittedEvent) -> None:
    """Keeps an event for those who count, until the session's transaction is committed."""
    session.info.setdefault(_KEY, []).append(item)


def committed(session: Session) -> list[CommittedEvent]:
    """The events of a session whose transaction was committed, in order."""
    items: list[CommittedEvent] = session.info.get(_KEY, [])
    return items
