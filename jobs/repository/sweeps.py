"""Lost jobs, jobs that nobody came for, and the workers that are at work. Safe to run in several places at once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from jobs.clock import now
from jobs.models import Job, Worker
from jobs.repository import edges
from jobs.repository.upsert import insert_or_update
from jobs.states import EndReason, JobState


def expire_leases(session: Session, max_lost: int) -> list[str]:
    expired = (Job.state == JobState.RUNNING, Job.lease_expires < now())
    # What another sweeper is at is skipped, so that two of them never wait for each other.
    statement = select(Job).where(*expired).order_by(Job.lease_expires).with_for_update(skip_locked=True)
    jobs = session.scalars(statement, execution_options={"populate_existing": True}).all()
    return [job.id for job in jobs if _expire(session, job, max_lost)]


def _expire(session: Session, job: Job, max_lost: int) -> bool:
    guard = (Job.token == job.token, Job.lease_expires < now())
    return give_up(session, job, max_lost, f"worker '{job.worker}' was lost in attempt {job.attempt}", *guard)


def give_up(session: Session, job: Job, max_lost: int, why: str, *guard: ColumnElement[bool]) -> bool:
    """Counts the job's attempt as lost: queued again, failed at the `max_lost`-th time, cancelled if that was asked."""
    lost = job.lost_attempts + 1
    if job.cancel_requested:
        return edges.end(session, job.id, JobState.RUNNING, EndReason.CANCELLED, why, *guard)
    if lost < max_lost:
        return edges.requeue(session, job.id, why, *guard, lost_attempts=lost)
    detail = f"{lost} attempts were lost; the last time, {why}"
    return edges.end(session, job.id, JobState.RUNNING, EndReason.WORKER_LOST, detail, *guard, lost_attempts=lost)


def due_for_ringing(session: Session, after_seconds: float, limit: int) -> list[str]:
    due = (Job.state == JobState.QUEUED, or_(Job.rung_at.is_(None), Job.rung_at <= now(-after_seconds)))
    least_recent = select(Job.id).where(*due).order_by(Job.rung_at.nulls_first(), Job.id).limit(limit)
    # Not a subquery of the UPDATE: PostgreSQL may run one with a limit more than once, and so go beyond it.
    ids = list(session.scalars(least_recent.with_for_update(skip_locked=True)))
    statement = update(Job).where(Job.id.in_(ids), *due).values(rung_at=now()).returning(Job.id)
    rung = set(session.scalars(statement, execution_options={"synchronize_session": False}))
    return [job_id for job_id in ids if job_id in rung]


def mark_rung(session: Session, job_ids: Sequence[str]) -> None:
    statement = update(Job).where(Job.id.in_(job_ids), Job.state == JobState.QUEUED).values(rung_at=now())
    session.execute(statement, execution_options={"synchronize_session": False})


def beat(session: Session, worker_id: str, device: str, job_id: str | None) -> None:
    row = {"id": worker_id, "device": device, "job_id": job_id, "started_at": now(), "seen_at": now()}
    insert_or_update(session, Worker, row, keep={"started_at"})


def workers_seen(session: Session, within_seconds: float) -> list[Worker]:
    return list(session.scalars(select(Worker).where(Worker.seen_at >= now(-within_seconds)).order_by(Worker.id)))


def forget_worker(session: Session, worker_id: str) -> None:
    session.execute(delete(Worker).where(Worker.id == worker_id), execution_options={"synchronize_session": False})
