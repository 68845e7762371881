"""`python -m jobs.migrations upgrade | downgrade REVISION | current`: the tables of KD_DATABASE_URL."""

from __future__ import annotations

import argparse
import sys
import time

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from jobs.database import Database
from jobs.errors import JobError
from jobs.migrations.upgrade import NEWEST
from jobs.settings import Settings, SettingsError

_POLL_SECONDS = 0.5


def main() -> int:
    arguments = _parser().parse_args()
    try:
        database = Database(Settings().database_url)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        sys.stdout.write(f"{_run(arguments, database)}\n")
    except (JobError, SQLAlchemyError) as error:
        sys.stderr.write(f"{_first_line(error)}\n")
        return 1
    finally:
        database.dispose()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs.migrations", description="The tables of KD_DATABASE_URL.")
    commands = parser.add_subparsers(dest="command", required=True)
    upgrade = commands.add_parser("upgrade", help=f"bring the tables to revision {NEWEST}; nothing to do is no error")
    downgrade = commands.add_parser("downgrade", help="take the tables back, with what has no place there")
    downgrade.add_argument("revision", help="such as 0003")
    current = commands.add_parser("current", help="say at which revision the tables are")
    for command in (upgrade, downgrade, current):
        command.add_argument(
            "--wait", type=float, default=60.0, metavar="SECONDS", help="for a database that still starts; 60"
        )
    return parser


def _run(arguments: argparse.Namespace, database: Database) -> str:
    """Does what was asked, once the database answers; what to say of it."""
    before = _answer_of(database, arguments.wait) or "none"
    if arguments.command == "upgrade":
        database.migrate()
    elif arguments.command == "downgrade":
        database.take_back(arguments.revision)
    now = database.revision() or "none"
    changed = f", from {before}" if now != before else ""
    return f"the tables are at revision {now}{changed}; this program's newest is {NEWEST}"


def _answer_of(database: Database, seconds: float) -> str | None:
    """The revision of the tables; a database that does not answer yet is asked again for so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return database.revision()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise JobError(
                    f"the database did not answer within {seconds:g} s ({_first_line(error)}); see KD_DATABASE_URL"
                ) from error
        time.sleep(_POLL_SECONDS)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
