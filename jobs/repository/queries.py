"""Reading jobs and what belongs to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from distillery.states import JobState
from jobs.errors import ArtifactNotFound, JobNotFound
from jobs.ids import is_job_id
from jobs.repository.transitions import storable
from jobs.tables import Artifact, Job, JobEvent, JobLabel, Metric, SentDataset, TrialMetric
from kd_engine.schema.phases import PHASES

M = TypeVar("M", Metric, TrialMetric)


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list; a job must meet all that is given, each label included. Texts match whole.

    Of kinds, any but `distill`, which is not noted.
    """

    state: JobState | None = None
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    dataset: str | None = None
    student: str | None = None
    created_after: datetime | None = None
    owner: str | None = None
    kind: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All that the user wrote freely."""
        written = (self.name, self.dataset, self.student, *self.labels, *self.labels.values())
        return tuple(text for text in written if text is not None)


# Made once: it is the query of every poll, and making it takes longer than running it.
_LOOK = select(*Job.__table__.columns).where(Job.id == bindparam("job_id"))
_LOOK_OF = _LOOK.where(Job.owner == bindparam("owner"))


def get(session: Session, job_id: str, owner: str | None = None) -> Job:
    job = None
    if is_job_id(job_id):
        # the owner is part of the query, so that somebody else's job takes as long as one that does not exist
        of_owner = () if owner is None else (Job.owner == owner,)
        statement = select(Job).where(Job.id == job_id, *of_owner)
        job = session.scalars(statement, execution_options={"populate_existing": True}).one_or_none()
    if job is None:
        raise JobNotFound(job_id)
    return job


def snapshot(connection: Connection, job_id: str, owner: str | None) -> Job:
    """The job, belonging to no session: the session's bookkeeping would take longer than all the rest of a poll."""
    row = None
    if is_job_id(job_id):
        statement = _LOOK if owner is None else _LOOK_OF
        row = connection.execute(statement, {"job_id": job_id, "owner": owner}).one_or_none()
    if row is None:
        raise JobNotFound(job_id)
    job = Job()
    vars(job).update(row._mapping)
    return job


def list_jobs(session: Session, filters: JobFilter, before: str | None, limit: int) -> list[Job]:
    if any(storable(text) != text for text in filters.texts):
        return []  # no stored text is equal to one that cannot be stored
    statement = select(Job).where(*_conditions(filters)).order_by(Job.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Job.id < before)
    return list(session.scalars(statement))


def _conditions(filters: JobFilter) -> list[ColumnElement[bool]]:
    conditions = [
        column == value
        for column, value in (
            (Job.state, filters.state),
            (Job.name, filters.name),
            (Job.student, filters.student),
            (Job.owner, filters.owner),
            (Job.kind, filters.kind),
        )
        if value is not None
    ]
    if filters.dataset is not None:
        conditions.append(or_(Job.dataset == filters.dataset, Job.dataset.in_(_called(filters.dataset, filters.owner))))
    for key, value in filters.labels.items():
        labelled = select(JobLabel.job_id).where(JobLabel.key == key, JobLabel.value == value)
        conditions.append(Job.id.in_(labelled))
    if filters.created_after is not None:
        conditions.append(Job.created_at > filters.created_after)
    return conditions


def _called(name: str, owner: str | None) -> Select[str]:
    """Ids of the data sets that were sent under this name."""
    called = select(SentDataset.id).where(SentDataset.name == name)
    return called if owner is None else called.where(SentDataset.owner == owner)


def events(session: Session, job_id: str, after: int, limit: int) -> list[JobEvent]:
    statement = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.seq > after)
    return list(session.scalars(statement.order_by(JobEvent.seq).limit(limit)))


def versions(session: Session, job_ids: Collection[str]) -> dict[str, int]:
    rows = session.execute(select(Job.id, Job.version).where(Job.id.in_(job_ids)))
    return {row.id: row.version for row in rows}


def metrics(session: Session, job_id: str) -> list[Metric]:
    in_order = case({phase: number for number, phase in enumerate(PHASES)}, value=Metric.phase)
    statement = select(Metric).where(Metric.job_id == job_id).order_by(in_order, Metric.repeat, Metric.epoch)
    return list(session.scalars(statement))


def metrics_page(
    session: Session, job_id: str, after: Metric | TrialMetric | None, limit: int
) -> list[Metric | TrialMetric]:
    """All of `Repository.metrics_page`; the primary keys serve the order within a phase."""
    found: list[Metric | TrialMetric] = []
    if not isinstance(after, TrialMetric):
        found += _metrics_page(session, Metric, (Metric.repeat, Metric.epoch), job_id, after, limit)
    if not found and not isinstance(after, Metric):  # a sweep
        order = (TrialMetric.trial, TrialMetric.repeat, TrialMetric.epoch)
        found += _metrics_page(session, TrialMetric, order, job_id, after, limit)
    return found


def _metrics_page(
    session: Session, table: type[M], order: tuple[InstrumentedAttribute[int], ...], job_id: str, after: M | None,
    limit: int,
) -> list[M]:  # fmt: skip
    phases = PHASES if after is None else PHASES[PHASES.index(after.phase) :]
    found: list[M] = []
    for phase in phases:
        of_phase = select(table).where(table.job_id == job_id, table.phase == phase)
        if after is not None and phase == after.phase:
            of_phase = of_phase.where(tuple_(*order) > tuple(getattr(after, column.key) for column in order))
        found += session.scalars(of_phase.order_by(*order).limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


def artifacts(session: Session, job_id: str, kind: str) -> list[Artifact]:
    statement = select(Artifact).where(Artifact.job_id == job_id, Artifact.kind == kind).order_by(Artifact.name)
    return list(session.scalars(statement))


def keys(session: Session, job_id: str, kinds: Collection[str]) -> list[str]:
    """What the store calls the job's files of these kinds."""
    return list(session.scalars(select(Artifact.key).where(Artifact.job_id == job_id, Artifact.kind.in_(kinds))))


def artifact(session: Session, job_id: str, name: str, kind: str) -> Artifact:
    found = None
    if is_job_id(job_id) and storable(name) == name:
        statement = select(Artifact).where(Artifact.job_id == job_id, Artifact.name == name, Artifact.kind == kind)
        found = session.scalars(statement).one_or_none()
    if found is None:
        raise ArtifactNotFound(job_id, name)
    return found
