"""Brings a database to the newest revision: one transaction, one process at a time, no configuration file."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from jobs.errors import SchemaTooNew

_FOLDER = Path(__file__).parent
_REVISIONS = sorted(path.name.split("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*_*.py"))
NEWEST = _REVISIONS[-1]
_WAIT_SECONDS = 10
_LOCK = 0x6469_7374_696C  # any number that nobody else in the same PostgreSQL database locks


def upgrade(engine: Engine) -> None:
    """Creates or changes the tables until they are at `NEWEST`; a failure leaves them as they were.

    Raises:
        SchemaTooNew: the database is at a revision that this program does not know.
    """
    if engine.dialect.name == "sqlite":
        _keep_a_write_ahead_log(engine)
    with engine.connect() as connection:
        if _is_newest(connection):
            return
    with engine.begin() as connection:
        # SQLite's writers already wait for each other; see the `begin` of jobs/db.py.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not _is_newest(connection):  # another process may have been first
            _run_alembic(connection)


def _is_newest(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is not None and revision not in _REVISIONS:
        raise SchemaTooNew(
            f"the database is at revision '{revision}', this program knows revisions up to '{NEWEST}': it was used by "
            "a newer version. Install that version, or go back to a copy of the database from before."
        )
    return bool(revision == NEWEST)


def _run_alembic(connection: Connection) -> None:
    # Imported only when there is work: every process asks at its start, and Alembic takes a while to load.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _keep_a_write_ahead_log(engine: Engine) -> None:
    """Lets readers go on while one process writes. The file remembers it.

    It is not to be had within a transaction, and SQLite does not wait for the file as it does elsewhere: two processes
    that change it at once would both be refused.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    with engine.connect().execution_options(begin=None) as connection:
        while True:
            try:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)
