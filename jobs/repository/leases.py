"""Leases that ended, jobs that waited too long, and the workers at work. Safe to run in several places at once."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, delete, select, type_coerce
from sqlalchemy.orm import Session

from distillery.states import EndReason, JobState
from jobs.clock import now
from jobs.committed_events import AttemptLost, after_commit
from jobs.repository import transitions, waiting_reason
from jobs.repository.upsert import insert_or_update
from jobs.tables import Job, Worker

_LACKS_LENGTH = 200


def expire_leases(session: Session, max_lost: int) -> list[str]:
    expired = (Job.state == JobState.RUNNING, Job.lease_expires < now())
    # What another lease reaper is at is skipped, so that two of them never wait for each other.
    statement = select(Job).where(*expired).order_by(Job.lease_expires).with_for_update(skip_locked=True)
    jobs = session.scalars(statement, execution_options={"populate_existing": True}).all()
    return [job.id for job in jobs if _expire(session, job, max_lost)]


def _expire(session: Session, job: Job, max_lost: int) -> bool:
    guard = (Job.token == job.token, Job.lease_expires < now())
    return give_up(session, job, max_lost, f"worker '{job.worker}' was lost in attempt {job.attempt}", *guard)


def give_up(
    session: Session,
    job: Job,
    max_lost: int,
    why: str,
    *guard: ColumnElement[bool],
    reason: EndReason = EndReason.WORKER_LOST,
) -> bool:
    """Counts the job's attempt as lost: put back, failed at the `max_lost`-th time, cancelled if that was asked."""
    lost = job.lost_attempts + 1
    if job.cancel_requested or lost < max_lost:
        done = transitions.put_back(session, job, why, *guard, lost_attempts=lost)
    else:
        detail = f"{lost} attempts were lost; the last time, {why}"
        done = transitions.end(session, job.id, JobState.RUNNING, reason, detail, *guard, lost_attempts=lost)
    if done:
        after_commit(session, AttemptLost())
    return done


def expire_waits(session: Session, limit: int) -> list[str]:
    waited = type_coerce(now(), BigInteger) - type_coerce(Job.queued_at, BigInteger)
    overdue = (Job.state == JobState.QUEUED, Job.queue_ms.is_not(None), waited > Job.queue_ms)
    statement = select(Job).where(*overdue).limit(limit).with_for_update(skip_locked=True)
    jobs = session.scalars(statement, execution_options={"populate_existing": True}).all()
    return [job.id for job in jobs if _end_wait(session, job, *overdue)]


def _end_wait(session: Session, job: Job, *guard: ColumnElement[bool]) -> bool:
    asked = job.resources["queue_timeout_seconds"]
    detail = f"it waited longer than the {asked:g} seconds that resources.queue_timeout_seconds allows"
    absence = waiting_reason.absence(session, job.device)
    why = detail if absence is None else f"{detail}. {absence}"
    return transitions.end(session, job.id, JobState.QUEUED, EndReason.QUEUE_TIMEOUT, why, *guard)


def beat(session: Session, worker_id: str, device: str, job_id: str | None, lacks: str | None) -> None:
    row = {"id": worker_id, "device": device, "job_id": job_id, "started_at": now(), "seen_at": now()}
    row["lacks"] = None if lacks is None else lacks[:_LACKS_LENGTH]
    insert_or_update(session, Worker, row, keep={"started_at"})


def workers_seen(session: Session, within_seconds: float) -> list[Worker]:
    return list(session.scalars(select(Worker).where(Worker.seen_at >= now(-within_seconds)).order_by(Worker.id)))


def forget_silent_workers(session: Session, after_seconds: float) -> None:
    silent = delete(Worker).where(Worker.seen_at < now(-after_seconds))
    session.execute(silent, execution_options={"synchronize_session": False})


def forget_worker(session: Session, worker_id: str) -> None:
    session.execute(delete(Worker).where(Worker.id == worker_id), execution_options={"synchronize_session": False})
