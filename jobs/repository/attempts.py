"""What a worker does to a job that it holds. Stale writes are rejected: each names the attempt's fencing token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.orm import Session

from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo
from jobs.clock import now
from jobs.committed_events import FileListed, JobStarted, after_commit
from jobs.errors import LeaseLost
from jobs.ids import is_job_id
from jobs.repository import leases, queries, transitions
from jobs.repository.upsert import insert_or_skip, insert_or_update
from jobs.tables import Artifact, Job, JobEvent, Metric, Owner, TrialMetric
from kd_engine.schema.events import EpochEnd, Event, PhaseEnded, Progress, Warned

_Training = tuple[str, int, int | None]  # phase, repeat and, of a sweep, trial


@dataclass(frozen=True)
class Renewal:
    """What the user of a running job wishes."""

    cancel_requested: bool
    pause_requested: bool


def claim(session: Session, job_id: str, worker: str, lease_seconds: float) -> Job | None:
    if not is_job_id(job_id):
        return None
    values = {
        "attempt": Job.attempt + 1,
        "token": Job.token + 1,
        "worker": worker,
        "lease_expires": now(lease_seconds),
        "claimed_at": now(),
        "stalled_since": None,
        "started_at": func.coalesce(Job.started_at, now()),
    }
    if not transitions.move(session, job_id, JobState.QUEUED, JobState.RUNNING, values=values, entries=[]):
        return None
    # The attempt's number, which the event tells, is known only now that the row is ours.
    job = queries.get(session, job_id)
    _write(session, job_id, job.token, {}, [("claimed", {"worker": worker, "attempt": job.attempt})])
    session.execute(update(Owner).where(Owner.name == job.owner).values(served_at=now()))
    session.refresh(job)
    if job.claimed_at is not None:
        after_commit(session, JobStarted((job.claimed_at - job.queued_at).total_seconds()))
    return job


def renew(session: Session, job_id: str, token: int, lease_seconds: float) -> Renewal:
    statement = (
        update(Job)
        .where(Job.id == job_id, *transitions.holds(token))
        .values(lease_expires=now(lease_seconds))
        .returning(Job.cancel_requested, Job.pause_requested)
        .execution_options(synchronize_session=False)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        raise LeaseLost(job_id, token)
    return Renewal(row.cancel_requested, row.pause_requested)


def record(session: Session, job_id: str, token: int, events: Sequence[Event]) -> None:
    job = transitions.held(session, job_id, token)
    values: dict[str, Any] = {}
    entries: list[transitions.Entry] = []
    for event in _new_ones(session, job_id, events):
        data = _finite(event.model_dump(mode="json", exclude={"type"}))
        if isinstance(event, Progress):
            values["progress"] = data
            continue
        if isinstance(event, EpochEnd):
            of = {key: data[key] for key in ("phase", "repeat", "trial", "epoch") if key in data}
            values["metrics"] = of | data["metrics"]
        if isinstance(event, Warned):
            if data["warnings"] == job.warnings:
                continue  # all was said when the job was posted, or by an earlier attempt
            values["warnings"] = data["warnings"]
        entries.append((event.type, data))
    if values or entries:
        _write(session, job_id, token, values, entries)


def note_stall(session: Session, job_id: str, token: int, quiet_seconds: float, doing: str) -> None:
    since = now(-quiet_seconds)  # two clocks: it may come out before the attempt began
    values = {"stalled_since": case((since >= Job.claimed_at, since), else_=Job.claimed_at)}
    _write(session, job_id, token, values, [("stalled", {"quiet_seconds": round(quiet_seconds), "doing": doing})])


def note_progress(session: Session, job_id: str, token: int) -> None:
    _write(session, job_id, token, {"stalled_since": None}, [("recovered", {})])


def _new_ones(session: Session, job_id: str, events: Iterable[Event]) -> Iterable[Event]:
    """`events` without the epochs and ends of phases that were counted before."""
    ended: set[_Training] | None = None
    for event in events:
        if isinstance(event, EpochEnd) and not _count_epoch(session, job_id, event):
            continue
        if isinstance(event, PhaseEnded):
            ended = _ended_phases(session, job_id) if ended is None else ended
            name = (event.phase, event.repeat, event.trial)
            if name in ended:
                continue
            ended.add(name)
        yield event


def _count_epoch(session: Session, job_id: str, event: EpochEnd) -> bool:
    """Writes the metrics of an epoch; False when they are there already."""
    row = {
        "job_id": job_id,
        "phase": event.phase,
        "repeat": event.repeat,
        "epoch": event.epoch,
        "values": _finite(event.metrics),
    }
    if event.trial is None:
        return insert_or_skip(session, Metric, row)
    return insert_or_skip(session, TrialMetric, row | {"trial": event.trial})


def _ended_phases(session: Session, job_id: str) -> set[_Training]:
    statement = select(JobEvent.data).where(JobEvent.job_id == job_id, JobEvent.type == "phase_ended")
    return {(data["phase"], data["repeat"], data.get("trial")) for data in session.scalars(statement)}


def list_artifact(session: Session, job_id: str, token: int, info: ArtifactInfo) -> str | None:
    transitions.held(session, job_id, token)
    replaced = _list(session, job_id, info)
    if info.kind == "result":
        _write(session, job_id, token, {}, [])
    return replaced


def list_checkpoint(session: Session, job_id: str, token: int, info: ArtifactInfo, keep: int) -> list[str]:
    replaced = list_artifact(session, job_id, token, info)
    of_job = (Artifact.job_id == job_id, Artifact.kind == "checkpoint")
    newest_first = select(Artifact.name).where(*of_job).order_by(Artifact.created_at.desc(), Artifact.name.desc())
    old = session.scalars(newest_first.offset(keep)).all()
    statement = delete(Artifact).where(*of_job, Artifact.name.in_(old)).returning(Artifact.key)
    dropped = session.scalars(statement, execution_options={"synchronize_session": False})
    return [*dropped, *([replaced] if replaced else [])]


def _list(session: Session, job_id: str, info: ArtifactInfo) -> str | None:
    after_commit(session, FileListed(info.kind, info.size))
    before = session.scalar(select(Artifact.key).where(Artifact.job_id == job_id, Artifact.name == info.name))
    insert_or_update(session, Artifact, {"job_id": job_id, "created_at": now(), **asdict(info)})
    return before if before != info.key else None


def finish(
    session: Session, job_id: str, token: int, reason: EndReason, detail: str, artifacts: Sequence[ArtifactInfo]
) -> list[str]:
    forgotten = [] if reason.retryable else queries.keys(session, job_id, transitions.FOR_THE_NEXT_ATTEMPT)
    if not transitions.end(session, job_id, JobState.RUNNING, reason, detail, Job.token == token):
        raise LeaseLost(job_id, token)
    unlisted = [_list(session, job_id, info) for info in artifacts]
    return [*forgotten, *(key for key in unlisted if key is not None)]


def hand_back(session: Session, job_id: str, token: int, why: str) -> None:
    job = transitions.held(session, job_id, token)
    transitions.put_back(session, job, why, Job.token == token)


def lose(session: Session, job_id: str, token: int, max_lost: int, why: str, reason: EndReason) -> None:
    job = transitions.held(session, job_id, token)
    leases.give_up(session, job, max_lost, why, Job.token == token, reason=reason)


def _write(
    session: Session, job_id: str, token: int, values: Mapping[str, Any], entries: Sequence[transitions.Entry]
) -> None:
    if not transitions.change(session, job_id, *transitions.holds(token), values=values, entries=entries):
        raise LeaseLost(job_id, token)


def _finite(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with None for NaN and infinities, which JSON and PostgreSQL do not know."""
    return {key: _finite_value(value) for key, value in data.items()}


def _finite_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _finite(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
