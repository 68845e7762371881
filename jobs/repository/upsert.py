"""INSERT for a row that may be there already, the same for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, cast

from sqlalchemy import Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from jobs.tables import Base

_DIALECTS: Mapping[str, Callable[[Any], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_or_skip(session: Session, table: type[Base], row: Mapping[str, Any]) -> bool:
    """Inserts a row of plain values unless its primary key is there; whether it was inserted."""
    statement = _skipping(session.get_bind().dialect.name, table, tuple(row))
    return session.execute(statement, row).one_or_none() is not None


@cache
def _skipping(dialect: str, table: type[Base], columns: tuple[str, ...]) -> ReturningInsert[Any]:
    """Made once for each table: making it takes longer than running it."""
    whole = cast(Table, table.__table__)
    values = {name: bindparam(name, type_=whole.c[name].type) for name in columns}
    insert = _DIALECTS[dialect](whole).values(values).on_conflict_do_nothing()
    return insert.returning(inspect(table).primary_key[0])


def insert_or_update(session: Session, table: type[Base], row: Mapping[str, Any], keep: Collection[str] = ()) -> None:
    """Inserts a row, or overwrites the one with its primary key, except for the columns `keep`."""
    key = [column.name for column in inspect(table).primary_key]
    statement = _insert(session, table).values(row)
    fresh = {name: statement.excluded[name] for name in row if name not in {*key, *keep}}
    session.execute(statement.on_conflict_do_update(index_elements=key, set_=fresh))


def _insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    return _DIALECTS[session.get_bind().dialect.name](table)
