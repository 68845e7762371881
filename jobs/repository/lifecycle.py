"""What a user does to a job: creation under an idempotency key, the wish to cancel, deletion."""

from __future__ import annotations

from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.clock import now
from jobs.errors import KeyReused, WrongState
from jobs.ids import new_job_id
from jobs.models import Artifact, IdempotencyKey, Job, JobLabel
from jobs.repository import edges
from jobs.states import EndReason, JobState
from kd_engine.spec import AnySpec

# Made once: making it takes longer than running it.
_CREATE = insert(Job).values(created_at=now(), queued_at=now()).returning(Job)


def create(session: Session, spec: AnySpec, idempotency: tuple[str, str] | None) -> Job:
    if idempotency is None:
        return _insert(session, spec)
    earlier = find_by_key(session, *idempotency)
    if earlier is not None:
        return earlier
    try:
        with session.begin_nested():
            return _insert(session, spec, *idempotency)
    except IntegrityError:
        # Another process has just committed a job with this key; the savepoint took ours back.
        earlier = find_by_key(session, *idempotency)
        if earlier is None:
            raise
        return earlier


def _insert(session: Session, spec: AnySpec, key: str | None = None, body_sha256: str = "") -> Job:
    values = {
        "id": new_job_id(),
        "name": edges.storable(spec.name),
        "state": JobState.QUEUED,
        "spec": spec.to_json(),
        "dataset": spec.dataset.name,
        "student": spec.student_name,
        "device": spec.resources.device,
        "last_event": 1,
    }
    job = session.scalars(_CREATE, [values]).one()
    if key is not None:
        row = {"key": key, "body_sha256": body_sha256, "job_id": job.id, "created_at": now()}
        session.execute(insert(IdempotencyKey).values(row))
    labels = {edges.storable(key): edges.storable(value) for key, value in spec.labels.items()}
    if labels:
        rows = [{"job_id": job.id, "key": key, "value": value} for key, value in labels.items()]
        session.execute(insert(JobLabel), rows)
    edges.append(session, job.id, 0, 0, [("created", {"name": spec.name})])
    return job


def find_by_key(session: Session, key: str, body_sha256: str) -> Job | None:
    statement = select(IdempotencyKey.body_sha256, Job).join(Job).where(IdempotencyKey.key == key)
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    if row.body_sha256 != body_sha256:
        raise KeyReused(key)
    job: Job = row.Job
    return job


def request_cancel(session: Session, job_id: str) -> Job:
    job = edges.locked(session, job_id)
    if job.state in {JobState.QUEUED, JobState.PAUSED}:
        edges.end(session, job_id, job.state, EndReason.CANCELLED, f"cancelled while {job.state}")
    elif job.state is JobState.RUNNING:
        _wish_to_cancel(session, job_id)
    elif job.state is not JobState.CANCELLED:
        raise WrongState(job_id, job.state, "only a job that has not ended can be cancelled")
    session.refresh(job)
    return job


def _wish_to_cancel(session: Session, job_id: str) -> None:
    edges.change(
        session,
        job_id,
        Job.state == JobState.RUNNING,
        Job.cancel_requested.is_(False),
        values={"cancel_requested": True},
        entries=[("cancel_requested", {})],
    )


def delete(session: Session, job_id: str) -> list[str]:
    job = edges.locked(session, job_id)
    if not job.state.terminal:
        raise WrongState(job_id, job.state, "only a job that has ended can be deleted; cancel it first")
    keys = list(session.scalars(select(Artifact.key).where(Artifact.job_id == job_id)))
    statement = delete_from(Job).where(Job.id == job_id, Job.state == job.state)
    session.execute(statement, execution_options={"synchronize_session": False})
    session.expunge(job)
    return keys
