"""INSERT for a row that may be there already, the same for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Session

from jobs.models import Base


def insert_or_skip(session: Session, table: type[Base], row: Mapping[str, Any]) -> bool:
    """Inserts a row unless its primary key is there; whether it was inserted."""
    statement = _insert(session, table).values(row).on_conflict_do_nothing()
    key = inspect(table).primary_key[0]
    return session.execute(statement.returning(key)).one_or_none() is not None


def insert_or_update(session: Session, table: type[Base], row: Mapping[str, Any], keep: Collection[str] = ()) -> None:
    """Inserts a row, or overwrites the one with its primary key, except for the columns `keep`."""
    key = [column.name for column in inspect(table).primary_key]
    statement = _insert(session, table).values(row)
    fresh = {name: statement.excluded[name] for name in row if name not in {*key, *keep}}
    session.execute(statement.on_conflict_do_update(index_elements=key, set_=fresh))


def _insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
