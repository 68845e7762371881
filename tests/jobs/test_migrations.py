"""The revisions make the tables of the models, on both databases, whoever else is at it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from jobs import trace
from jobs.db import Database
from jobs.errors import SchemaTooNew
from jobs.migrations import upgrade
from jobs.models import Base
from jobs.trace import TraceContext
from tests.jobs.samples import create, read

ROOT = Path(__file__).parents[2]
MIGRATE = """
import sys
from jobs.db import Database
print("ready", flush=True)
sys.stdin.readline()
Database(sys.argv[1]).migrate()
print("alembic" in sys.modules)
"""


def engine_of(url: str) -> Engine:
    return create_engine(Database(url).url)


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


def test_a_database_of_a_newer_version_is_left_alone(database: Database, database_url: str) -> None:
    engine = engine_of(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(SchemaTooNew, match="revision '9999'"):
            database.migrate()
    finally:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": upgrade.NEWEST})
        engine.dispose()


def test_the_revisions_are_one_chain_named_after_their_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "jobs" / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    revisions = list(scripts.walk_revisions())
    assert scripts.get_heads() == [upgrade.NEWEST]
    assert all(Path(one.path).name.startswith(f"{one.revision}_") for one in revisions)


def test_jobs_of_the_first_revision_go_forward_and_back(empty_database_url: str) -> None:
    """Rows that were written before there were owners are kept, also on the way back."""
    engine = engine_of(empty_database_url)
    if engine.url.get_backend_name() == "sqlite":
        Path(str(engine.url.database)).parent.mkdir(parents=True)
    with engine.begin() as connection:
        _alembic(connection, command.upgrade, "0001")
        for statement in _FIRST_ROWS:
            connection.execute(text(statement))
        _alembic(connection, command.upgrade, "head")
    database = Database(empty_database_url)
    with database.write() as repository:
        assert repository.find_by_key("key", "b" * 64) is not None
        job = repository.claim_next("worker", "cpu", 60)
        assert job is not None
        assert (job.id, job.owner, job.ran_ms, job.priority) == ("job_1", "local", 0, 0)
        repository.write_log("job_1", job.token, ["a line"])
    database.dispose()
    with engine.begin() as connection:
        _alembic(connection, command.downgrade, "0001")
        assert connection.execute(text("SELECT id, state FROM jobs")).all() == [("job_1", "running")]
        assert connection.execute(text("SELECT key, job_id FROM idempotency_keys")).all() == [("key", "job_1")]
        _alembic(connection, command.upgrade, "head")
    engine.dispose()


def test_traces_come_and_go_and_an_older_program_writes_to_the_new_tables(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    database.migrate()
    context = TraceContext.new()
    with trace.within(context):
        traced = create(database)
    engine = engine_of(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text(_FIRST_ROWS[0]))  # names no column of the trace
    assert read(database, "job_1").trace is None
    assert read(database, traced).trace == context
    database.dispose()
    with engine.begin() as connection:
        _alembic(connection, command.downgrade, "0003")
        assert set(connection.execute(text("SELECT id FROM jobs")).scalars()) == {"job_1", traced}
        _alembic(connection, command.upgrade, "head")
    assert read(database, traced).trace is None
    database.dispose()
    engine.dispose()


_FIRST_ROWS = (
    "INSERT INTO jobs (id, name, state, spec, dataset, student, device, version, last_event, attempt, lost_attempts, "
    "token, cancel_requested, pause_requested, created_at, queued_at) VALUES ('job_1', 'old', 'queued', '{}', 'mnist', "
    "'mlp', 'auto', 1, 0, 0, 0, 0, FALSE, FALSE, 1, 1)",
    f"INSERT INTO idempotency_keys (key, body_sha256, job_id, created_at) VALUES ('key', '{'b' * 64}', 'job_1', 1)",
)


def _alembic(connection: Connection, act: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "jobs" / "migrations"))
    config.attributes["connection"] = connection
    act(config, revision)
