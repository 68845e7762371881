"""Data sets and networks that were sent: each is a row with a name, and the job that knows all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from distillery.quota import Quota
from distillery.states import JobState
from jobs.artifacts import ArtifactInfo
from jobs.clock import now
from jobs.errors import DatasetInUse, DatasetNotFound, ModelNotFound, WrongState
from jobs.ids import is_dataset_id, is_model_id, new_id
from jobs.repository import lifecycle, queries, transitions, uploads
from jobs.tables import Artifact, Job, SentDataset, SentModel
from kd_engine.catalog import PREPARED
from kd_engine.jobspec import CheckSpec, RegisterSpec, network_file

S = TypeVar("S", SentDataset, SentModel)
_FOR_PEOPLE = ("name", "labels", "priority", "webhooks", "keep_days")
_UNFINISHED = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
_LISTED = 5


@dataclass(frozen=True)
class Sent(Generic[S]):
    """What was sent, and the job that checks it (or that trained it)."""

    row: S
    job: Job


def create(
    session: Session, table: type[S], spec: CheckSpec | RegisterSpec, owner: str, quota: Quota, upload: ArtifactInfo
) -> tuple[Sent[S], bool]:
    """All of `Repository.create_dataset` and of `Repository.create_model`."""
    same = _same(session, table, spec, owner)
    if same is not None:
        if spec.name:
            _name(session, table, same.row, spec.name)
        return same, False
    job = lifecycle.create(session, spec, owner, quota, None, None, {})
    uploads.keep(session, job.id, upload)
    return Sent(_insert(session, table, owner, job), job), True


def promote(session: Session, job: Job, role: str, name: str) -> Sent[SentModel]:
    """All of `Repository.promote`."""
    if job.state is not JobState.SUCCEEDED:
        raise WrongState(job.id, job.state, "only a job that has succeeded has networks to keep")
    queries.artifact(session, job.id, network_file(role), "result")
    return Sent(_insert(session, SentModel, job.owner, job, name=name, role=role), job)


def _insert(session: Session, table: type[S], owner: str, job: Job, **values: Any) -> S:
    row = {"id": new_id(table.prefix), "owner": owner, "name": job.name, "job_id": job.id, "created_at": now()}
    made: S = session.scalars(insert(table).values(row | values).returning(table)).one()
    return made


def _same(session: Session, table: type[S], spec: CheckSpec | RegisterSpec, owner: str) -> Sent[S] | None:
    """What the owner has sent before: the same bytes, to be looked at in the same way, that have not failed."""
    alike = select(table, Job).join(Job).where(
        table.owner == owner,
        Job.state.not_in((JobState.FAILED, JobState.CANCELLED)),
        Job.spec["upload_sha256"].as_string() == spec.upload_sha256,
    )  # fmt: skip
    asked = _without_words(spec.to_json())
    for row, job in session.execute(alike.order_by(table.id)):
        if _without_words(job.spec) == asked:
            return Sent(row, job)
    return None


def _name(session: Session, table: type[S], row: S, name: str) -> None:
    """Who sends something again means it by the name that it has now, as if it had come just now."""
    values = {"name": transitions.storable(name), "named_at": now()}
    session.execute(update(table).where(table.id == row.id).values(values))
    session.refresh(row)


def _without_words(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in _FOR_PEOPLE}


def get(session: Session, table: type[S], sent_id: str, owner: str | None) -> Sent[S]:
    found = None
    is_id = is_dataset_id if table is SentDataset else is_model_id
    if is_id(sent_id):
        of_owner = () if owner is None else (table.owner == owner,)
        found = session.execute(select(table, Job).join(Job).where(table.id == sent_id, *of_owner)).one_or_none()
    if found is None:
        raise (DatasetNotFound if table is SentDataset else ModelNotFound)(sent_id)
    return Sent(*found)


def listed(session: Session, table: type[S], owner: str | None, before: str | None, limit: int) -> list[Sent[S]]:
    statement = select(table, Job).join(Job).order_by(table.id.desc()).limit(limit)
    if owner is not None:
        statement = statement.where(table.owner == owner)
    if before is not None:
        statement = statement.where(table.id < before)
    return [Sent(*row) for row in session.execute(statement)]


def dataset_sums(session: Session) -> set[str]:
    """All of `Repository.dataset_sums`."""
    checked = select(Artifact.sha256).join(SentDataset, SentDataset.job_id == Artifact.job_id)
    return set(session.scalars(checked.where(Artifact.name.in_(PREPARED.values()))))


def delete_dataset(session: Session, dataset_id: str) -> list[str]:
    """All of `Repository.delete_dataset`."""
    sent = get(session, SentDataset, dataset_id, None)
    readers = select(Job.id).where(Job.dataset == dataset_id, Job.state.in_(_UNFINISHED), Job.id != sent.job.id)
    if jobs := list(session.scalars(readers.limit(_LISTED))):
        raise DatasetInUse(dataset_id, jobs)
    return _delete(session, SentDataset, sent)


def delete_model(session: Session, model_id: str) -> list[str]:
    """All of `Repository.delete_model`."""
    sent = get(session, SentModel, model_id, None)
    if sent.row.role is not None:
        session.execute(delete_from(SentModel).where(SentModel.id == model_id))
        return []
    return _delete(session, SentModel, sent)


def _delete(session: Session, table: type[S], sent: Sent[S]) -> list[str]:
    if not transitions.locked(session, sent.job.id).state.terminal:
        raise WrongState(sent.job.id, sent.job.state, "it looks at what was sent; cancel it first")
    session.execute(delete_from(table).where(table.id == sent.row.id))
    return lifecycle.delete(session, sent.job.id)
