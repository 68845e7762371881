"""What a user does to a job: creation under an idempotency key, retry, wishes to cancel or pause, deletion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import delete as delete_from
from sqlalchemy import insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from distillery.quota import Quota
from distillery.states import EndReason, JobState
from jobs.clock import now
from jobs.errors import KeyReused, WrongState
from jobs.ids import new_job_id
from jobs.repository import names, transitions, uploads, usage
from jobs.repository.upsert import insert_or_skip
from jobs.tables import Artifact, IdempotencyKey, Job, JobLabel, Metric, Owner, TrialMetric
from jobs.telemetry import trace
from kd_engine.jobspec import AnySpec, parse_spec, warnings_of

# Made once: making it takes longer than running it.
_CREATE = insert(Job).values(created_at=now(), queued_at=now()).returning(Job)


def create(
    session: Session,
    spec: AnySpec,
    owner: str,
    quota: Quota,
    idempotency: tuple[str, str] | None,
    retry_of: str | None,
    note: Mapping[str, Any],
) -> Job:
    """All of `Repository.create` and of `Repository.retry`."""
    if idempotency is not None and (earlier := find_by_key(session, owner, *idempotency)) is not None:
        return earlier
    insert_or_skip(session, Owner, {"name": owner, "served_at": None})
    usage.check_room(session, owner, quota, spec.planned_epochs)
    if idempotency is None:
        return _insert(session, spec, owner, retry_of, note)
    try:
        with session.begin_nested():
            job = _insert(session, spec, owner, retry_of, note)
            key, body_sha256 = idempotency
            row = {"owner": owner, "key": key, "body_sha256": body_sha256, "job_id": job.id, "created_at": now()}
            session.execute(insert(IdempotencyKey).values(row))
            return job
    except IntegrityError:
        # Another process has just committed a job with this key; the savepoint took ours back.
        earlier = find_by_key(session, owner, *idempotency)
        if earlier is None:
            raise
        return earlier


def _insert(session: Session, spec: AnySpec, owner: str, retry_of: str | None, note: Mapping[str, Any]) -> Job:
    limit = spec.resources.queue_timeout_seconds
    values = {
        "id": new_job_id(),
        "name": transitions.storable(spec.name),
        "state": JobState.QUEUED,
        "spec": spec.to_json(),
        "dataset": spec.dataset_name,
        "student": spec.student_name,
        "device": spec.resources.device,
        "owner": owner,
        "rank": -spec.priority,
        "keep_seconds": None if spec.keep_days is None else round(spec.keep_days * 86_400),
        "queue_ms": None if limit is None else max(1, round(limit * 1000)),
        "planned_epochs": spec.planned_epochs,
        "kind": None if spec.kind == "distill" else spec.kind,
        "retry_of": retry_of,
        "warnings": [warning.model_dump() for warning in warnings_of(spec)],
        "names": names.of_spec(session, spec) or None,
        "last_event": 1,
        **trace.columns(),
    }
    job = session.scalars(_CREATE, [values]).one()
    labels = {transitions.storable(key): transitions.storable(value) for key, value in spec.labels.items()}
    if labels:
        rows = [{"job_id": job.id, "key": key, "value": value} for key, value in labels.items()]
        session.execute(insert(JobLabel), rows)
    origin = {} if retry_of is None else {"retry_of": retry_of}
    transitions.append(session, job.id, 0, 0, [("created", {"name": spec.name, **origin, **note})])
    return job


def find_by_key(session: Session, owner: str, key: str, body_sha256: str) -> Job | None:
    of_owner = (IdempotencyKey.owner == owner, IdempotencyKey.key == key)
    row = session.execute(select(IdempotencyKey.body_sha256, Job).join(Job).where(*of_owner)).one_or_none()
    if row is None:
        return None
    if row.body_sha256 != body_sha256:
        raise KeyReused(key)
    job: Job = row.Job
    return job


def retry(session: Session, job_id: str, quota: Quota, note: Mapping[str, Any]) -> tuple[Job, bool]:
    job = transitions.locked(session, job_id)
    earlier = session.scalars(select(Job).where(Job.retry_of == job_id)).one_or_none()
    if earlier is not None:
        return earlier, False
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise WrongState(job_id, job.state, "only a job that failed or was cancelled can be run again")
    again = create(session, parse_spec(job.spec), job.owner, quota, None, job_id, note)
    uploads.hand_over(session, job, again)
    if job.reason is not None and job.reason.retryable:
        _take_over_metrics(session, job_id, again.id)
    return again, True


def _take_over_metrics(session: Session, source: str, target: str) -> None:
    """The epochs that the retry need not run again, because it goes on from a checkpoint."""
    for table in (Metric, TrialMetric):
        columns = [column for column in table.__table__.columns if column.key != "job_id"]
        rows = select(literal(target), *columns).where(table.job_id == source)
        session.execute(insert(table).from_select(["job_id", *(column.key for column in columns)], rows))


def request_pause(session: Session, job_id: str) -> Job:
    job = transitions.locked(session, job_id)
    if job.state is JobState.QUEUED:
        transitions.pause(session, job_id, JobState.QUEUED, "paused while queued")
    elif job.state is JobState.RUNNING:
        _wish(session, job_id, "pause")
    elif job.state is not JobState.PAUSED:
        raise WrongState(job_id, job.state, "only a job that has not ended can be paused")
    session.refresh(job)
    return job


def resume(session: Session, job_id: str) -> Job:
    """All of `Repository.resume`; a wish to pause that no worker has obeyed yet is taken back."""
    job = transitions.locked(session, job_id)
    if job.state is JobState.PAUSED:
        values = {"queued_at": now()}
        transitions.move(session, job_id, JobState.PAUSED, JobState.QUEUED, values=values, entries=[("resumed", {})])
    elif job.state is JobState.RUNNING:
        asked = (Job.state == JobState.RUNNING, Job.pause_requested.is_(True))
        transitions.change(session, job_id, *asked, values={"pause_requested": False}, entries=[("resumed", {})])
    elif job.state is not JobState.QUEUED:
        raise WrongState(job_id, job.state, "only a paused job can go on; retry runs one that failed again")
    session.refresh(job)
    return job


def request_cancel(session: Session, job_id: str) -> Job:
    job = transitions.locked(session, job_id)
    if job.state in {JobState.QUEUED, JobState.PAUSED}:
        transitions.end(session, job_id, job.state, EndReason.CANCELLED, f"cancelled while {job.state}")
    elif job.state is JobState.RUNNING:
        _wish(session, job_id, "cancel")
    elif job.state is not JobState.CANCELLED:
        raise WrongState(job_id, job.state, "only a job that has not ended can be cancelled")
    session.refresh(job)
    return job


def _wish(session: Session, job_id: str, what: Literal["cancel", "pause"]) -> None:
    flag = {"cancel": Job.cancel_requested, "pause": Job.pause_requested}[what]
    transitions.change(
        session,
        job_id,
        Job.state == JobState.RUNNING,
        flag.is_(False),
        values={flag.key: True},
        entries=[(flag.key, {})],
    )


def delete(session: Session, job_id: str) -> list[str]:
    job = transitions.locked(session, job_id)
    if not job.state.terminal:
        raise WrongState(job_id, job.state, "only a job that has ended can be deleted; cancel it first")
    if (kept_for := uploads.kept_for(session, job_id)) is not None:
        raise WrongState(job_id, job.state, f"it is kept for '{kept_for}'; delete that first")
    keys = list(session.scalars(select(Artifact.key).where(Artifact.job_id == job_id)))
    statement = delete_from(Job).where(Job.id == job_id, Job.state == job.state)
    session.execute(statement, execution_options={"synchronize_session": False})
    session.expunge(job)
    return keys
