"""Data sets that were sent: each is a row with a name, and the job that checks it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from jobs.artifacts import ArtifactInfo
from jobs.clock import now
from jobs.errors import DatasetInUse, DatasetNotFound, WrongState
from jobs.ids import is_dataset_id, new_id
from jobs.models import Job, SentDataset
from jobs.quota import Quota
from jobs.repository import edges, lifecycle, uploads
from jobs.states import JobState
from kd_engine.spec import CheckSpec

_LISTED = 5


@dataclass(frozen=True)
class Dataset:
    """A data set that was sent, and the job that checks it."""

    row: SentDataset
    job: Job


def create(session: Session, spec: CheckSpec, owner: str, quota: Quota, upload: ArtifactInfo) -> tuple[Dataset, bool]:
    """All of `Repository.create_dataset`."""
    same = _same(session, spec, owner)
    if same is not None:
        return same, False
    job = lifecycle.create(session, spec, owner, quota, None, None, {})
    row = {"id": new_id("ds"), "owner": owner, "name": job.name, "job_id": job.id, "created_at": now()}
    made = session.scalars(insert(SentDataset).values(row).returning(SentDataset)).one()
    uploads.keep(session, job.id, upload)
    return Dataset(made, job), True


def _same(session: Session, spec: CheckSpec, owner: str) -> Dataset | None:
    """The owner's data set of the same bytes, checked in the same way, that has not failed."""
    alike = select(SentDataset, Job).join(Job).where(
        SentDataset.owner == owner,
        Job.state.not_in((JobState.FAILED, JobState.CANCELLED)),
        Job.spec["upload_sha256"].as_string() == spec.upload_sha256,
    )  # fmt: skip
    for row, job in session.execute(alike.order_by(SentDataset.id)):
        if (job.spec["test"], job.spec["broken"]) == (spec.test, spec.broken):
            return Dataset(row, job)
    return None


def get(session: Session, dataset_id: str, owner: str | None) -> Dataset:
    found = None
    if is_dataset_id(dataset_id):
        of_owner = () if owner is None else (SentDataset.owner == owner,)
        statement = select(SentDataset, Job).join(Job).where(SentDataset.id == dataset_id, *of_owner)
        found = session.execute(statement).one_or_none()
    if found is None:
        raise DatasetNotFound(dataset_id)
    return Dataset(*found)


def list_datasets(session: Session, owner: str | None, before: str | None, limit: int) -> list[Dataset]:
    statement = select(SentDataset, Job).join(Job).order_by(SentDataset.id.desc()).limit(limit)
    if owner is not None:
        statement = statement.where(SentDataset.owner == owner)
    if before is not None:
        statement = statement.where(SentDataset.id < before)
    return [Dataset(*row) for row in session.execute(statement)]


def delete(session: Session, dataset_id: str) -> list[str]:
    """All of `Repository.delete_dataset`."""
    dataset = get(session, dataset_id, None)
    unfinished = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
    readers = select(Job.id).where(Job.dataset == dataset_id, Job.state.in_(unfinished)).limit(_LISTED)
    if jobs := list(session.scalars(readers)):
        raise DatasetInUse(dataset_id, jobs)
    if not edges.locked(session, dataset.job.id).state.terminal:
        raise WrongState(dataset.job.id, dataset.job.state, "it checks the data set; cancel it first")
    session.execute(delete_from(SentDataset).where(SentDataset.id == dataset_id))
    return lifecycle.delete(session, dataset.job.id)
