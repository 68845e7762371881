"""The database: how it is connected to, and what a transaction is. SQLite and PostgreSQL, the same for both.

with database.write() as repository: ...    one transaction: committed at the end, rolled back on an exception
with database.read() as repository: ...     one view of the data that does not change while it is read
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from distillery.quota import NO_QUOTA, Quota
from distillery.states import JobState
from jobs import committed_events
from jobs.committed_events import CommittedEvent
from jobs.migrations import upgrade as migrations
from jobs.repository import Repository, Waiting
from jobs.repository.queries import snapshot
from jobs.repository.waiting_reason import why
from jobs.tables import Job

_CONNECT_SECONDS = 3
_LOCK_SECONDS = 10
# A worker that is stopped in the middle of a transaction must not hold a job's row for ever.
_POSTGRESQL_OPTIONS = (
    f"-c lock_timeout={_LOCK_SECONDS}s -c statement_timeout=30s -c idle_in_transaction_session_timeout=20s"
)
# FastAPI runs at most 40 plain endpoints at a time; connections are opened when first needed.
_MOST = 40
_PREPARE = "prepare_threshold"


class Database:
    """One database. Thread-safe; connects when first used. A process that forks makes a new one in its child.

    Args:
        url: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`; with `?prepare_threshold=none` for PostgreSQL
            behind a pooler that knows no prepared statements.
        name: whose connections these are, for those who look at what a PostgreSQL server does.
        kept: connections that stay open when nobody uses them; what is needed beyond that is opened and closed again.

    Raises:
        ValueError: another kind of database, or not a URL.
        sqlalchemy.exc.OperationalError: by any method, when the database cannot be reached.

    Attributes:
        heard: told what this process's transactions have done, once they are committed. It must not raise.
    """

    heard: Callable[[CommittedEvent], None]

    def __init__(self, url: str, name: str = "distillery", kept: int = 20) -> None:
        self.url = _known(url)
        self.heard = lambda item: None
        pool = {"pool_size": kept, "max_overflow": _MOST - kept, "pool_timeout": _LOCK_SECONDS}
        sqlite = self.url.get_backend_name() == "sqlite"
        engine = _sqlite(self.url, pool) if sqlite else _postgresql(self.url, pool, name)
        self._engine = engine
        self._turn: Callable[[], AbstractContextManager[None]]
        if engine.dialect.name == "sqlite":
            self._reader, self._writer = engine, engine.execution_options(begin="BEGIN IMMEDIATE")
            self._single = engine.execution_options(begin=None)
            self._turn = _Turns(_LOCK_SECONDS).turn
        else:
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writer = engine.execution_options(isolation_level="READ COMMITTED")
            self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._turn = nullcontext

    @contextmanager
    def write(self) -> Iterator[Repository]:
        """One transaction that may write; committed at the end, rolled back on an exception."""
        with self._turn(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield Repository(session)
        for item in committed_events.committed(session):
            self.heard(item)

    @contextmanager
    def read(self) -> Iterator[Repository]:
        """One transaction that only reads; it sees one state of the data throughout."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield Repository(session)

    def snapshot(
        self, job_id: str, owner: str | None = None, quota_of: Callable[[str], Quota] = lambda owner: NO_QUOTA
    ) -> tuple[Job, Waiting | None]:
        """One job as it is now, and why it waits while it is queued: what every poll asks for.

        A single statement that needs no transaction; a few more for a queued job.

        Args:
            owner: whose job it is; None: anybody's.
            quota_of: what an owner may have.

        Raises:
            jobs.errors.JobNotFound: there is no such job of this owner.
        """
        with self._single.connect() as connection:
            job = snapshot(connection, job_id, owner)
            if job.state is not JobState.QUEUED:
                return job, None
            return job, why(connection, job.device, job.owner, quota_of(job.owner), job.rank, job.id)

    def ping(self) -> None:
        """Raises sqlalchemy.exc.OperationalError when the database cannot be reached."""
        with self._reader.connect() as connection:
            connection.execute(text("SELECT 1"))

    def migrate(self) -> None:
        """Brings the tables to the newest revision. Safe in several processes at once, quick when there already.

        Raises:
            jobs.errors.SchemaTooNew: the database belongs to a newer version of this program.
        """
        if self._engine.dialect.name == "sqlite":
            assert self.url.database is not None
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        migrations.upgrade(self._writer)

    def take_back(self, revision: str) -> None:
        """Brings the tables back to an earlier revision; see `jobs.migrations.upgrade.downgrade`."""
        migrations.downgrade(self._writer, revision)

    def revision(self) -> str | None:
        """The revision of the tables; None where there are none."""
        if self._engine.dialect.name == "sqlite" and not Path(str(self.url.database)).exists():
            return None
        return migrations.current(self._reader)

    def check_tables(self) -> None:
        """Raises SchemaTooOld or SchemaTooNew when this program cannot work with the tables as they are."""
        migrations.check(self.revision())

    def dispose(self) -> None:
        """Closes all idle connections."""
        self._engine.dispose()


class _Turns:
    """Lets the threads of this process write one after the other.

    SQLite has one writer at a time, and who finds it busy sleeps for up to 0.1 s before it looks again; threads that
    wait for each other here are woken at once.
    """

    def __init__(self, seconds: float) -> None:
        self._lock, self._seconds = threading.Lock(), seconds

    @contextmanager
    def turn(self) -> Iterator[None]:
        mine = self._lock.acquire(timeout=self._seconds)
        try:
            yield  # also without a turn: SQLite then says that it is busy
        finally:
            if mine:
                self._lock.release()


def _known(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("KD_DATABASE_URL is not a URL; expected sqlite:///PATH or postgresql://...") from None
    kind = parsed.get_backend_name()
    if kind in {"postgresql", "postgres"}:
        _prepare_threshold(parsed)
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise ValueError(
            f"KD_DATABASE_URL asks for '{kind}' with database '{parsed.database or ''}'; "
            "expected a file (sqlite:///PATH) or a server (postgresql://...)"
        )
    return parsed.set(drivername="sqlite+pysqlite")


def _prepare_threshold(url: URL) -> dict[str, int | None]:
    """What psycopg is told of prepared statements: nothing, after how many uses (5 by default), or None, never.

    A pooler that hands out a connection for one transaction (PgBouncer before 1.21) gives the next one to somebody who
    never prepared them.
    """
    asked = url.query.get(_PREPARE)
    if asked is None:
        return {}
    if asked == "none":
        return {_PREPARE: None}
    if isinstance(asked, str) and asked.isascii() and asked.isdecimal():
        return {_PREPARE: int(asked)}
    raise ValueError(f"KD_DATABASE_URL: {_PREPARE} is '{asked}'; expected 'none' or a whole number")


def _postgresql(url: URL, pool: Mapping[str, int], name: str) -> Engine:
    arguments = {
        "connect_timeout": _CONNECT_SECONDS,
        "options": _POSTGRESQL_OPTIONS,
        "application_name": name,
        **_prepare_threshold(url),
    }
    address = url.difference_update_query([_PREPARE])
    return create_engine(address, connect_args=arguments, pool_pre_ping=True, **pool)


def _sqlite(url: URL, pool: Mapping[str, int]) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _LOCK_SECONDS, "check_same_thread": False}, **pool)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions late and by guess; `_begin` below does it for every one.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its lock at once: one that reads first and then finds itself outrun would fail, not wait.
        command = connection.get_execution_options().get("begin", "BEGIN")
        if command is not None:
            connection.exec_driver_sql(command)

    return engine
