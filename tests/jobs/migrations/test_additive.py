"""Within a generation the tables only grow, so that programs of earlier revisions go on with them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text

from jobs.migrations.upgrade import REVISIONS
from tests.jobs.migrations.rows import alembic, engine_of

# Before it nobody had two versions at work at once.
FIRST = "0003"
STEPS = [(before, after) for before, after in pairwise(REVISIONS) if before >= FIRST and before[0] == after[0]]


@dataclass(frozen=True)
class Shape:
    """The tables as a program sees them: columns (type, may it be left out), primary keys, what must be unique."""

    columns: dict[tuple[str, str], tuple[str, bool]]
    keys: dict[str, tuple[str, ...]]
    unique: set[tuple[str, ...]]
    references: set[tuple[str, ...]]


def shape_of(connection: Connection) -> Shape:
    found = inspect(connection)
    tables = [name for name in found.get_table_names() if name != "alembic_version"]
    columns = {(table, column["name"]): _column(column) for table in tables for column in found.get_columns(table)}
    unique = {
        (table, *map(str, index["column_names"]))
        for table in tables
        for index in [*found.get_indexes(table), *found.get_unique_constraints(table)]
        if index.get("unique", True)
    }
    return Shape(
        columns=columns,
        keys={table: tuple(found.get_pk_constraint(table)["constrained_columns"]) for table in tables},
        unique=unique,
        references={(table, *key["constrained_columns"]) for table in tables for key in found.get_foreign_keys(table)},
    )


def _column(column: Any) -> tuple[str, bool]:
    return str(column["type"]), column["nullable"] or column["default"] is not None


def narrowed(before: Shape, after: Shape) -> list[str]:
    """What a program that knows `before` may not find, or may not do, any more."""
    found = [f"{table}.{name} is gone" for table, name in before.columns if (table, name) not in after.columns]
    for (table, name), (kind, optional) in after.columns.items():
        known = before.columns.get((table, name))
        if known is None and table in before.keys and not optional:
            found.append(f"{table}.{name} must be given")
        if known is not None and known[0] != kind:
            found.append(f"{table}.{name} was {known[0]}, is {kind}")
        if known is not None and known[1] and not optional:
            found.append(f"{table}.{name} could be left out")
    found += [f"{table} has another key" for table, key in before.keys.items() if after.keys.get(table, key) != key]
    for what, old, new in (
        ("unique", before.unique, after.unique),
        ("a reference", before.references, after.references),
    ):
        for table, *names in new - old:
            if all((table, name) in before.columns for name in names):
                found.append(f"{table}.{'+'.join(names)} must be {what}")
    return found


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_a_revision_takes_nothing_away(empty_database_url: str, before: str, after: str) -> None:
    assert _between(empty_database_url, before, after) == []


def test_what_takes_something_away_is_found(empty_database_url: str) -> None:
    """The revision that brought owners, from before there was such a rule."""
    assert _between(empty_database_url, "0001", "0002") == [
        "jobs.rung_at is gone", "idempotency_keys.owner must be given", "idempotency_keys has another key",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE uploads DROP COLUMN owner", "uploads.owner is gone"),
        ("ALTER TABLE uploads ADD COLUMN size BIGINT NOT NULL", "uploads.size must be given"),
        ("ALTER TABLE uploads ALTER COLUMN owner TYPE TEXT", "uploads.owner was VARCHAR(100), is TEXT"),
        ("ALTER TABLE jobs ALTER COLUMN worker SET NOT NULL", "jobs.worker could be left out"),
        ("CREATE UNIQUE INDEX one ON uploads (owner)", "uploads.owner must be unique"),
        ("ALTER TABLE uploads ADD FOREIGN KEY (owner) REFERENCES owners (name)", "uploads.owner must be a reference"),
        ("ALTER TABLE uploads ADD COLUMN size BIGINT NOT NULL DEFAULT 0", None),
        ("ALTER TABLE uploads ADD COLUMN size BIGINT UNIQUE", None),
        ("CREATE TABLE more (id INTEGER PRIMARY KEY, owner VARCHAR NOT NULL)", None),
        ("CREATE INDEX one ON uploads (owner)", None),
    ],
)
def test_each_way_to_take_something_away(postgres_url: str, statement: str, says: str | None) -> None:
    engine = engine_of(postgres_url)
    with engine.connect() as connection:  # and rolled back at the end
        before = shape_of(connection)
        connection.execute(text(statement))
        assert narrowed(before, shape_of(connection)) == ([says] if says else [])
    engine.dispose()


def _between(url: str, before: str, after: str) -> list[str]:
    engine = engine_of(url)
    with engine.begin() as connection:
        alembic(connection, command.upgrade, before)
        old = shape_of(connection)
        alembic(connection, command.upgrade, after)
        found = narrowed(old, shape_of(connection))
    engine.dispose()
    return found
