"""Counts for metrics: how many jobs wait, run and have ended, and how many workers there are."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from distillery.states import JobState
from jobs.clock import now
from jobs.repository.positions import HEARD_SECONDS
from jobs.tables import Job, Worker


@dataclass(frozen=True)
class Counts:
    """Of all owners together.

    Attributes:
        jobs: how many there are, by state and by the device that they ask for (`auto`, `cpu`, `cuda`).
        oldest_queued: seconds for which the oldest waiting job waits, by the device that it asks for.
        workers: how many were heard lately, by device.
        stalled: running jobs whose trainer shows no progress.
    """

    jobs: dict[tuple[JobState, str], int]
    oldest_queued: dict[str, float]
    workers: dict[str, int]
    stalled: int = 0


# An index has the counts; only the few rows of waiting jobs are read themselves.
_waiting = (
    select(Job.device, func.min(Job.queued_at).label("since"))
    .where(Job.state == JobState.QUEUED)
    .group_by(Job.device)
    .subquery()
)
_counted = select(Job.state, Job.device, func.count().label("jobs")).group_by(Job.state, Job.device).subquery()
_waited = type_coerce(now(), BigInteger) - type_coerce(_waiting.c.since, BigInteger)
_JOBS = select(_counted.c.state, _counted.c.device, _counted.c.jobs, _waited).outerjoin(
    _waiting, (_counted.c.device == _waiting.c.device) & (_counted.c.state == JobState.QUEUED)
)
_STALLED = select(func.count()).where(Job.state == JobState.RUNNING, Job.stalled_since >= Job.claimed_at)
_WORKERS = select(Worker.device, func.count()).where(Worker.seen_at >= now(-HEARD_SECONDS)).group_by(Worker.device)


def take(session: Session) -> Counts:
    """All of `Repository.counts`."""
    jobs, oldest = dict[tuple[JobState, str], int](), dict[str, float]()
    for state, device, count, waited_ms in session.execute(_JOBS):
        jobs[state, device] = count
        if waited_ms is not None:
            oldest[device] = max(0.0, waited_ms / 1000)
    workers = {device: int(count) for device, count in session.execute(_WORKERS)}
    return Counts(jobs, oldest, workers, stalled(session))


def stalled(session: Session) -> int:
    """How many running jobs show no progress."""
    return session.scalar(_STALLED) or 0
