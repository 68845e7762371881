"""The names of what was sent: what a name stands for, and which names a spec stands for."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from jobs.repository.transitions import storable
from jobs.tables import Job, SentDataset, SentModel
from kd_engine.catalog import UPLOADED
from kd_engine.jobspec import AnySpec, CheckSpec, Source

S = TypeVar("S", SentDataset, SentModel)
Names = dict[str, dict[str, str]]
"""By place in the spec, as `Source.key` has it, or `dataset`: the id of what was sent, and its name."""


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
    if isinstance(spec, CheckSpec):
        return {}
    rows: dict[str, SentDataset | SentModel | None] = {}
    if spec.dataset.name == UPLOADED:
        rows["dataset"] = session.get(SentDataset, spec.dataset.listed_name)
    rows |= {source.key: _model(session, source) for source in spec.sources()}
    return {key: {"id": row.id, "name": row.name} for key, row in rows.items() if row is not None and row.name}


def _model(session: Session, source: Source) -> SentModel | None:
    """The model that the network of a job is; the one that got its name last, if there are several."""
    if source.epoch is not None:
        return None  # other weights
    role = None if source.role == "model" else source.role
    models = select(SentModel).where(SentModel.job_id == source.job, SentModel.role.is_not_distinct_from(role))
    return session.scalars(models.order_by(_since(SentModel).desc(), SentModel.id.desc()).limit(1)).one_or_none()


def _since(table: type[SentDataset] | type[SentModel]) -> ColumnElement[datetime | None]:
    """Since when it has its name."""
    return func.coalesce(table.named_at, table.created_at)
