from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, select

from jobs.clock import now
from jobs.database import Database
from tests.jobs.samples import create, read


def test_the_clock_tells_utc_to_the_millisecond(database: Database) -> None:
    engine = create_engine(database.url)
    try:
        with engine.connect() as connection:
            before = datetime.now(UTC)
            present, later, earlier = connection.execute(select(now(), now(1.5), now(-60))).one()
            after = datetime.now(UTC)
    finally:
        engine.dispose()
    # Below a millisecond SQLite and PostgreSQL round or cut.
    assert before - timedelta(milliseconds=2) <= present <= after + timedelta(milliseconds=2)
    assert later - present == timedelta(seconds=1.5)
    assert present - earlier == timedelta(seconds=60)


def test_times_come_from_the_database_whatever_this_process_believes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = datetime.now(UTC)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    job = read(database, create(database))
    assert abs(job.created_at - real) < timedelta(minutes=1)
