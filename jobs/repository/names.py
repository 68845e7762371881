"""The names of what was sent: what a name stands for, and which names a spec stands for."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from jobs.repository.transitions import storable
from jobs.tables import Job, SentDataset, SentModel
from kd_engine.jobspec import AnySpec
from kd_engine.jobspec.inputs import DatasetInput, Input, NetworkInput, UploadInput

S = TypeVar("S", SentDataset, SentModel)
Names = dict[str, dict[str, str]]
"""By place in the spec, as `Input.place` has it: the id of what was sent, and its name."""


def newest(session: Session, table: type[S], owner: str, name: str) -> tuple[S, Job] | None:
    """All of `Repository.dataset_named` and of `Repository.model_named`."""
    if not name or storable(name) != name:
        return None
    spellings = {name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))}
    found = select(table, Job).join(Job).where(table.owner == owner, table.name.in_(spellings))
    row = session.execute(found.order_by(_since(table).desc(), table.id.desc()).limit(1)).one_or_none()
    return None if row is None else (row[0], row[1])


def listed(session: Session, table: type[S], owner: str, limit: int) -> list[str]:
    """All of `Repository.dataset_names` and of `Repository.model_names`."""
    named = select(table.name).where(table.owner == owner, table.name != "")
    return list(session.scalars(named.group_by(table.name).order_by(func.max(table.id).desc()).limit(limit)))


def of_spec(session: Session, spec: AnySpec) -> Names:
    """All of `Repository.names_of`."""
    rows = {asked.place: _sent(session, asked) for asked in spec.inputs()}
    return {place: {"id": row.id, "name": row.name} for place, row in rows.items() if row is not None and row.name}


def _sent(session: Session, asked: Input) -> SentDataset | SentModel | None:
    match asked:
        case DatasetInput():
            return session.get(SentDataset, asked.id)
        case NetworkInput():
            return _model(session, asked)
        case UploadInput():
            return None  # it is what is being looked at


def _model(session: Session, source: NetworkInput) -> SentModel | None:
    """The model that the network of a job is; the one that got its name last, if there are several."""
    if source.epoch is not None:
        return None  # other weights
    role = None if source.role == "model" else source.role
    models = select(SentModel).where(SentModel.job_id == source.job, SentModel.role.is_not_distinct_from(role))
    return session.scalars(models.order_by(_since(SentModel).desc(), SentModel.id.desc()).limit(1)).one_or_none()


def _since(table: type[SentDataset] | type[SentModel]) -> ColumnElement[datetime | None]:
    """Since when it has its name."""
    return func.coalesce(table.named_at, table.created_at)
