"""Brings a database to a revision: one transaction, one process at a time, no configuration file.

The first digit of a revision is its generation. Within one, every revision only adds to the tables, so that a program
which knows an earlier one goes on with them: in a rolling upgrade the old api and the old workers finish what they are
at. What takes something away begins a new generation (`1001_...`), when no program needs it any more.
"""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from jobs.errors import SchemaTooNew, SchemaTooOld, UnknownRevision

_FOLDER = Path(__file__).parent
REVISIONS = sorted(path.name.split("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*_*.py"))
NEWEST = REVISIONS[-1]
_WAIT_SECONDS = 10
_LOCK = 0x6469_7374_696C  # any number that nobody else in the same PostgreSQL database locks


def upgrade(engine: Engine) -> None:
    """Creates or changes the tables until they are at `NEWEST`; a failure leaves them as they were.

    Newer ones of this generation are left as they are.

    Raises:
        SchemaTooNew: the database is at a revision that this program cannot work with.
    """
    if engine.dialect.name == "sqlite":
        _keep_a_write_ahead_log(engine)
    with engine.connect() as connection:
        if _is_new_enough(_revision(connection)):
            return
    with engine.begin() as connection:
        _take_turns(connection)
        if not _is_new_enough(_revision(connection)):  # another process may have been first
            _run_alembic(connection, "upgrade", "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Takes the tables back to an earlier revision, with what has no place there; a failure leaves them as they were.

    Raises:
        UnknownRevision: there is no such revision, or the tables are not beyond it.
        SchemaTooNew: the database is at a revision that this program does not know.
    """
    if revision not in REVISIONS:
        raise UnknownRevision(f"there is no revision '{revision}'; there are {', '.join(REVISIONS)}")
    with engine.begin() as connection:
        _take_turns(connection)
        now = _revision(connection)
        if now is not None and now not in REVISIONS:
            raise SchemaTooNew(_too_new(now, "take them back with the version that made them"))
        if now is None or now < revision:
            raise UnknownRevision(f"the tables are at revision {now or 'none'}, which is before '{revision}'")
        if now != revision:
            _run_alembic(connection, "downgrade", revision)


def current(engine: Engine) -> str | None:
    """The revision of the tables; None where there are none."""
    with engine.connect() as connection:
        return _revision(connection)


def check(revision: str | None) -> None:
    """Whether this program can work with tables at a revision.

    Raises:
        SchemaTooOld: they lack what this program needs.
        SchemaTooNew: they lack what this program knows.
    """
    if not _is_new_enough(revision):
        raise SchemaTooOld(
            f"the tables are at revision {revision or 'none'}, this program needs '{NEWEST}': "
            "run `python -m jobs.migrations upgrade`"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _is_new_enough(revision: str | None) -> bool:
    """At the newest revision that is known here, or beyond it within its generation."""
    if revision is None or revision in REVISIONS:
        return revision == NEWEST
    if revision[0] == NEWEST[0] and revision > NEWEST:
        return True
    raise SchemaTooNew(_too_new(revision, "install that version, or go back to a copy of the database from before"))


def _too_new(revision: str, advice: str) -> str:
    return (
        f"the database is at revision '{revision}', this program knows revisions up to '{NEWEST}': it was used by "
        f"a newer version; {advice}."
    )


def _take_turns(connection: Connection) -> None:
    """One process at a time, however long it takes. SQLite's writers wait for each other by themselves."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _run_alembic(connection: Connection, what: str, revision: str) -> None:
    # Imported only when there is work: every process asks at its start, and Alembic takes a while to load.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    getattr(command, what)(config, revision)


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
