"""Databases and stores for tests: the same tests run on SQLite and on PostgreSQL, on a folder and on an S3 server.

A test gets a database of its own, tables and all, and a store of its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
from xdist.scheduler import LoadFileScheduling

from jobs.database import Database
from jobs.tables import Base
from tests.postgres import NoPostgres, Postgres
from tests.s3 import S3Server, known

_NUMBERS = itertools.count(1)
_SHARED = "with_tables"
# Tiny networks gain nothing from threads, and the processes of the tests, which inherit this, share the machine. Set
# before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
_ROOM = 3 * 2**30  # bytes of memory: a process that runs tests, with the servers, workers and trainers it starts
# What measures leases and pulses: one process runs these files, so that two of them never wait for each other.
_TIMED = (
    "tests/worker/attempt/test_lease.py",
    "tests/worker/test_liveness_file.py",
    "tests/worker/test_worker_process.py",
)


class _ByFile(LoadFileScheduling):
    """A file's tests share its fixtures, so one process runs them all; the files of `_TIMED` count as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "timed" if file in _TIMED else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: a process more than there are cores, and no more than there is memory for.

    Many tests wait: for a server to start, for a process to end, for a lease to run out.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores + 1, psutil.virtual_memory().available // _ROOM))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begins with the files that take long, so that no core waits for one of them in the end."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def skip_unless_ci(why: str) -> NoReturn:
    """What a test needs is missing: CI has it, or has gone wrong."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of these tests' own."""
    try:
        server = Postgres()
    except NoPostgres as error:
        skip_unless_ci(str(error))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_with_tables(postgres: Postgres) -> str:
    """The URL of a database that has the tables."""
    url = postgres.create(_SHARED)
    database = Database(url)
    database.migrate()
    database.dispose()
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that has the tables and no rows."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()
    return path


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_with_tables: str) -> Iterator[str]:
    """A PostgreSQL database that has the tables and no rows."""
    yield postgres_with_tables
    postgres.empty(_SHARED, [table.name for table in reversed(Base.metadata.sorted_tables)])


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A SQLite database that has the tables and no rows."""
    path = tmp_path / "distillery.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database that has the tables and no rows, of either kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, of either kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"empty_{next(_NUMBERS)}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database that has the tables and no rows, connected to, of either kind in turn."""
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """A SQLite database that has the tables and no rows, for tests in which the kind makes no difference."""
    database = Database(sqlite_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server of these tests' own."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def bucket(s3_server: S3Server) -> Iterator[dict[str, str]]:
    """The settings of an empty bucket, whose server this process knows."""
    with known(s3_server.url):
        yield {"artifacts_url": s3_server.new_bucket()}


@pytest.fixture
def store_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of an empty store beside KD_HOME: none for a folder, or the URL of a bucket (`on_both_stores`)."""
    if getattr(request, "param", "local") == "local":
        return {}
    settings: dict[str, str] = request.getfixturevalue("bucket")
    return settings
