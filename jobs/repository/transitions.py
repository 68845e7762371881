"""State transitions: the guarded update (compare-and-set) that every change of a job goes through, with its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import BigInteger, ColumnElement, Table, delete, func, insert, select, type_coerce, update
from sqlalchemy.orm import Session

from distillery.states import EndReason, JobState, check_transition
from jobs.clock import now
from jobs.committed_events import JobEnded, after_commit
from jobs.errors import JobNotFound, LeaseLost
from jobs.ids import is_job_id
from jobs.repository.deliveries import announce
from jobs.tables import Artifact, Job, JobEvent

_DETAIL_LENGTH = 4000
# Made once, and of the table: the ORM's own way to insert takes twice as long.
_APPEND = insert(cast(Table, JobEvent.__table__)).values(at=now())

Entry = tuple[str, Mapping[str, Any]]
"""An event to come: its type and its data."""


def change(
    session: Session,
    job_id: str,
    *guard: ColumnElement[bool],
    values: Mapping[str, Any],
    entries: Sequence[Entry] = (),
) -> bool:
    """Changes a job where `guard` holds, with the events of that change, as one step of its version.

    Returns:
        Whether the guard held. If not, nothing was changed.
    """
    statement = (
        update(Job)
        .where(Job.id == job_id, *guard)
        .values(version=Job.version + 1, last_event=Job.last_event + len(entries), **values)
        .returning(Job.last_event, Job.attempt)
        .execution_options(synchronize_session=False)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return False
    append(session, job_id, row.attempt, row.last_event - len(entries), entries)
    return True


def append(session: Session, job_id: str, attempt: int, after: int, entries: Sequence[Entry]) -> None:
    """Writes events numbered from `after` + 1. The caller holds the job's row, so no number is given twice."""
    rows = [
        {"job_id": job_id, "seq": seq, "attempt": attempt, "type": kind, "data": dict(data)}
        for seq, (kind, data) in enumerate(entries, after + 1)
    ]
    if rows:
        session.execute(_APPEND, rows)


def move(
    session: Session,
    job_id: str,
    source: JobState,
    target: JobState,
    *guard: ColumnElement[bool],
    values: Mapping[str, Any],
    entries: Sequence[Entry],
) -> bool:
    """Follows one edge of the transition table; False when the job is not in `source` or the guard does not hold."""
    check_transition(source, target)
    values = {"state": target, **values}
    if source is JobState.RUNNING:
        values |= {"ran_ms": Job.ran_ms + _ran(), "lease_expires": None, "claimed_at": None, "stalled_since": None}
    return change(session, job_id, Job.state == source, *guard, values=values, entries=entries)


FOR_THE_NEXT_ATTEMPT = ("checkpoint", "upload")


def end(
    session: Session,
    job_id: str,
    source: JobState,
    reason: EndReason,
    detail: str,
    *guard: ColumnElement[bool],
    **values: Any,
) -> bool:
    """Ends a job for `reason`, with its one terminal event; what a next attempt needs stays only where one may come."""
    detail = storable(detail)[:_DETAIL_LENGTH]
    expires = type_coerce(now(), BigInteger) + Job.keep_seconds * 1000  # NULL where the job names no time
    values |= {
        "end_reason": reason.known_before,
        "end_cause": reason.value,
        "end_detail": detail,
        "finished_at": now(),
        "expires_at": expires,
    }
    entry = ("ended", {"state": reason.state, "reason": reason, "detail": detail})
    ended = move(session, job_id, source, reason.state, *guard, values=values, entries=[entry])
    if ended:
        announce(session, job_id)
        ran_ms = session.scalar(select(Job.ran_ms).where(Job.id == job_id)) or 0
        after_commit(session, JobEnded(reason, ran_ms / 1000))
    if ended and not reason.retryable:
        forget = delete(Artifact).where(Artifact.job_id == job_id, Artifact.kind.in_(FOR_THE_NEXT_ATTEMPT))
        session.execute(forget, execution_options={"synchronize_session": False})
    return ended


def requeue(session: Session, job_id: str, why: str, *guard: ColumnElement[bool], **values: Any) -> bool:
    """Puts a running job back into the queue."""
    values |= {"queued_at": now(), "worker": None}
    entry = ("requeued", {"why": storable(why)})
    return move(session, job_id, JobState.RUNNING, JobState.QUEUED, *guard, values=values, entries=[entry])


def pause(
    session: Session, job_id: str, source: JobState, why: str, *guard: ColumnElement[bool], **values: Any
) -> bool:
    """Takes a queued or running job out of the queue until its user wishes it to go on."""
    values |= {"pause_requested": False, "worker": None}
    entry = ("paused", {"why": storable(why)})
    return move(session, job_id, source, JobState.PAUSED, *guard, values=values, entries=[entry])


def put_back(session: Session, job: Job, why: str, *guard: ColumnElement[bool], **values: Any) -> bool:
    """What becomes of a running job whose attempt is over before its end: what its user wished, or queued again."""
    if job.cancel_requested:
        return end(session, job.id, JobState.RUNNING, EndReason.CANCELLED, why, *guard)
    if job.pause_requested:
        return pause(session, job.id, JobState.RUNNING, why, *guard, **values)
    return requeue(session, job.id, why, *guard, **values)


def locked(session: Session, job_id: str) -> Job:
    """The job, which nobody else can change until this transaction ends; raises JobNotFound."""
    if not is_job_id(job_id):
        raise JobNotFound(job_id)
    statement = select(Job).where(Job.id == job_id).with_for_update()
    job = session.scalars(statement, execution_options={"populate_existing": True}).one_or_none()
    if job is None:
        raise JobNotFound(job_id)
    return job


def held(session: Session, job_id: str, token: int) -> Job:
    """The job, if it runs under `token`, locked until this transaction ends; raises LeaseLost."""
    statement = select(Job).where(Job.id == job_id, *holds(token)).with_for_update()
    job = session.scalars(statement, execution_options={"populate_existing": True}).one_or_none()
    if job is None:
        raise LeaseLost(job_id, token)
    return job


def holds(token: int) -> tuple[ColumnElement[bool], ...]:
    """The guard of every write of an attempt."""
    return Job.state == JobState.RUNNING, Job.token == token


def _ran() -> ColumnElement[int]:
    """Milliseconds since the present attempt began; 0 for one that an earlier version of this program claimed."""
    return type_coerce(now(), BigInteger) - type_coerce(func.coalesce(Job.claimed_at, now()), BigInteger)


def storable(text: str) -> str:
    """`text` without what PostgreSQL cannot store: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="replace").decode()
