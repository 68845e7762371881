"""What a PostgreSQL server has done, by its own counters, between two moments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import psutil  # type: ignore[import-untyped]
import psycopg

_QUESTION = """
SELECT xact_commit + xact_rollback, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       tup_inserted + tup_updated + tup_deleted, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint
FROM pg_stat_database WHERE datname = %s
"""
_CONNECTIONS = """
SELECT application_name, count(*) FROM pg_stat_activity
WHERE datname = %s AND backend_type = 'client backend' GROUP BY application_name
"""
_GONE_SECONDS = 0.3


@dataclass(frozen=True)
class Work:
    """What was done in one second.

    Attributes:
        transactions: of one database, those that only read among them.
        commits: transactions of the whole server that wrote something, so that each waits for the disk.
        rows: inserted, updated and deleted in that database.
        wal_bytes: written to the server's log.
    """

    transactions: float
    commits: float
    rows: float
    wal_bytes: float

    def __sub__(self, other: Work) -> Work:
        return Work(*(getattr(self, field.name) - getattr(other, field.name) for field in fields(self)))


def work(server: str, name: str, seconds: float) -> Work:
    """What the database `name` does meanwhile; `server` is the URL of another one, so that asking does not count."""
    with psycopg.connect(server, autocommit=True) as connection:
        before, began = _counts(connection, name), time.monotonic()
        time.sleep(seconds)
        after, took = _counts(connection, name), time.monotonic() - began
    return Work(*((new - old) / took for old, new in zip(before, after, strict=True)))


@contextmanager
def server_seconds(url: str) -> Iterator[list[float]]:
    """What the server computes within the block, in seconds of a core; in the list at its end.

    A server process counts once its client has gone, so clients of the block leave within it.
    """
    with psycopg.connect(url) as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
        assert server is not None, "the server is on this machine"
    began, found = sum(server.cpu_times()[:4]), list[float]()
    yield found
    time.sleep(_GONE_SECONDS)
    found.append(sum(server.cpu_times()[:4]) - began)


def connections(server: str, name: str) -> dict[str, int]:
    """How many connections to the database are open, by the name that they gave themselves."""
    with psycopg.connect(server, autocommit=True) as connection:
        return {application: int(count) for application, count in connection.execute(_CONNECTIONS, (name,))}


def _counts(connection: psycopg.Connection, name: str) -> tuple[int, ...]:
    row = connection.execute(_QUESTION, (name,)).fetchone()
    assert row is not None, "there is such a database"
    return tuple(int(value) for value in row)
