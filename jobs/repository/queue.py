"""Which job goes next: the owner with the fewest running ones, then the owner who waited longest; of an owner's jobs
the one with the highest priority, then the oldest. One owner's 500 jobs do not starve another's one.

A ring from the broker says only that there may be work. What is taken is decided here, at the moment of taking;
`positions.py` forecasts it, by the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import ScalarSelect, func, select, text
from sqlalchemy.orm import Session

from distillery.quota import Quota
from distillery.states import JobState
from jobs.repository import attempts
from jobs.tables import Job, Owner

_LOCK = 0x7175_6575_65  # any number that nobody else in the same PostgreSQL database locks


def claim_next(
    session: Session,
    worker: str,
    device: str,
    lease_seconds: float,
    quota_of: Callable[[str], Quota],
    beyond: Collection[str],
) -> Job | None:
    # One at a time, so that two workers neither take the same job nor go beyond a quota together. It lasts a few
    # milliseconds and happens once for each start of a job. SQLite has one writer at a time anyway.
    if session.get_bind().dialect.name == "postgresql":
        if not _turns(session, device, quota_of, beyond):
            return None  # without the lock: a thousand idle workers look two hundred times a second
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    for job_ids in _turns(session, device, quota_of, beyond):
        job = attempts.claim(session, _first(session, job_ids), worker, lease_seconds)
        if job is not None:  # None: it was cancelled at this very moment
            return job
    return None


def accepted(device: str) -> tuple[str, ...]:
    """What jobs may ask for so that a worker with this device can run them."""
    return ("auto", device)


def _turns(session: Session, device: str, quota_of: Callable[[str], Quota], beyond: Collection[str]) -> list[list[str]]:
    """For each owner that has a job for the device and may run one more, in the order of their turns: the first job of
    each of its queues.
    """
    heads = [_head(asked, beyond).label(asked) for asked in accepted(device)]
    rows = session.execute(select(Owner.name, Owner.served_at, *heads)).all()
    waiting = [(name, served, [job for job in ids if job is not None]) for name, served, *ids in rows]
    waiting = [row for row in waiting if row[2]]
    if not waiting:
        return []
    running = _running(session)

    def turn(row: tuple[str, datetime | None, list[str]]) -> tuple[int, float, str]:
        name, served, _ = row
        return running.get(name, 0), served.timestamp() if served is not None else 0.0, name

    def has_room(owner: str) -> bool:
        limit = quota_of(owner).running
        return limit is None or running.get(owner, 0) < limit

    return [ids for name, _, ids in sorted(waiting, key=turn) if has_room(name)]


def _running(session: Session) -> dict[str, int]:
    counted = select(Job.owner, func.count()).where(Job.state == JobState.RUNNING).group_by(Job.owner)
    return {owner: int(count) for owner, count in session.execute(counted)}


def _head(asked: str, beyond: Collection[str]) -> ScalarSelect[str]:
    first = select(Job.id).where(Job.state == JobState.QUEUED, Job.owner == Owner.name, Job.device == asked)
    if beyond:
        first = first.where(Job.id.not_in(beyond))
    return first.order_by(Job.rank, Job.id).limit(1).scalar_subquery()


def _first(session: Session, job_ids: list[str]) -> str:
    if len(job_ids) == 1:
        return job_ids[0]
    best = select(Job.id).where(Job.id.in_(job_ids)).order_by(Job.rank, Job.id).limit(1)
    return session.scalars(best).one()
