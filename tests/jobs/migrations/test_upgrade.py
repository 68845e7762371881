"""The revisions make the tables of the models, on both databases, whoever else is at it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from jobs.database import Database
from jobs.errors import SchemaTooNew, SchemaTooOld
from jobs.migrations import upgrade
from jobs.tables import Base
from tests.jobs.migrations.rows import engine_of
from tests.jobs.samples import create, read

ROOT = Path(__file__).parents[3]
MIGRATE = """
import sys
from jobs.database import Database
print("ready", flush=True)
sys.stdin.readline()
Database(sys.argv[1]).migrate()
print("alembic" in sys.modules)
"""


def test_the_revisions_make_the_tables_of_the_models(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    database.migrate()
    database.dispose()
    engine = engine_of(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        names = inspect(connection)
        for table in Base.metadata.sorted_tables:
            assert names.get_pk_constraint(table.name)["name"] == table.primary_key.name
            references = {key["name"]: key["options"] for key in names.get_foreign_keys(table.name)}
            keys = table.foreign_key_constraints
            rules = {key.name: {"ondelete": key.ondelete} if key.ondelete else {} for key in keys}
            assert references == rules
    engine.dispose()


def test_processes_at_once_make_the_tables_once(empty_database_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", MIGRATE, empty_database_url]
    # The folder may hold nothing that a migration needs, so an empty one must do.
    processes = [
        subprocess.Popen(
            command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, stdin=PIPE, stdout=PIPE, stderr=STDOUT, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outcomes
    database = Database(empty_database_url)
    job_id = create(database)
    assert read(database, job_id).version == 1
    database.dispose()


def test_nothing_is_done_and_alembic_not_loaded_when_all_is_there(database_url: str) -> None:
    command = [sys.executable, "-c", MIGRATE, database_url]
    done = subprocess.run(command, cwd=ROOT, input="go\n", capture_output=True, check=True, timeout=60, text=True)
    assert done.stdout == "ready\nFalse\n"


def test_a_migration_keeps_the_rows(database: Database) -> None:
    job_id = create(database)
    database.migrate()
    assert read(database, job_id).id == job_id


def test_a_failed_migration_leaves_the_database_as_it_was(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: Config, revision: str) -> None:
        config.attributes["connection"].execute(text("CREATE TABLE half (id INTEGER)"))
        raise RuntimeError("no further")

    database = Database(empty_database_url)
    monkeypatch.setattr("alembic.command.upgrade", fail)
    with pytest.raises(RuntimeError, match="no further"):
        database.migrate()
    monkeypatch.undo()
    engine = engine_of(empty_database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    database.migrate()
    database.ping()
    database.dispose()


@contextmanager
def at_revision(database_url: str, revision: str) -> Iterator[None]:
    """Tables that say that a program which knows more has been there."""
    engine = engine_of(database_url)

    def say(number: str) -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})

    say(revision)
    try:
        yield
    finally:
        say(upgrade.NEWEST)
        engine.dispose()


def test_a_database_of_a_newer_generation_is_left_alone(database: Database, database_url: str) -> None:
    with at_revision(database_url, "9999"):
        for refused in (database.migrate, database.check_tables, lambda: database.take_back("0001")):
            with pytest.raises(SchemaTooNew, match="revision '9999'"):
                refused()


def test_an_older_program_goes_on_with_tables_that_were_only_added_to(database: Database, database_url: str) -> None:
    """As a process of the version before that starts again in the middle of a rolling upgrade."""
    with at_revision(database_url, "0999"):
        database.migrate()
        database.check_tables()
        assert database.revision() == "0999"
        assert read(database, create(database)).version == 1
        with pytest.raises(SchemaTooNew, match="with the version that made them"):
            database.take_back("0001")


def test_a_newer_program_says_that_the_tables_are_too_old(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(SchemaTooOld, match=r"at revision none, .*`python -m jobs\.migrations upgrade`"):
        database.check_tables()
    database.migrate()
    database.take_back(upgrade.REVISIONS[-2])
    with pytest.raises(SchemaTooOld, match=f"at revision {upgrade.REVISIONS[-2]}, this program needs"):
        database.check_tables()
    database.dispose()


def test_the_revisions_are_one_chain_named_after_their_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "jobs" / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    revisions = list(scripts.walk_revisions())
    assert scripts.get_heads() == [upgrade.NEWEST]
    assert all(Path(one.path).name.startswith(f"{one.revision}_") for one in revisions)
