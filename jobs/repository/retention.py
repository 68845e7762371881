"""What may go: jobs whose time is over, and files that no row names."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from jobs.clock import now
from jobs.tables import Artifact, Job, SentDataset, SentModel


def purge_ended(session: Session, keep_seconds: float | None, limit: int) -> tuple[list[str], list[str]]:
    ids = _over(session, Job.expires_at, Job.expires_at < now(), limit)
    if keep_seconds is not None:
        over = (Job.finished_at < now(-keep_seconds)) & Job.keep_seconds.is_(None)
        ids += _over(session, Job.finished_at, over, limit)
    if not ids:
        return [], []
    keys = list(session.scalars(select(Artifact.key).where(Artifact.job_id.in_(ids))))
    session.execute(delete(Job).where(Job.id.in_(ids)), execution_options={"synchronize_session": False})
    return ids, keys


def _over(session: Session, when: InstrumentedAttribute[object], over: ColumnElement[bool], limit: int) -> list[str]:
    # only a job that has ended has either time
    # those that are kept for what was sent stay as long as it
    unneeded = (~exists().where(table.job_id == Job.id) for table in (SentDataset, SentModel))
    ended = select(Job.id).where(over, *unneeded).order_by(when).limit(limit)
    return list(session.scalars(ended.with_for_update(skip_locked=True)))


def unnamed(session: Session, keys: Collection[str]) -> set[str]:
    named = set(session.scalars(select(Artifact.key).where(Artifact.key.in_(keys))))
    return set(keys) - named
