"""Transactions, and what happens when there is no database."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from jobs.database import Database
from jobs.errors import JobNotFound, LeaseLost
from jobs.repository import JobFilter
from jobs.tables import Job
from tests.api.following import until
from tests.jobs.samples import a_spec, all_at_once, an_epoch, create, events_of, running
from tests.postgres import Postgres


@pytest.fixture(params=["nobody listens", "no such socket", "no such folder", "a folder"])
def unreachable_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "nobody listens":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return f"postgresql://u:p@127.0.0.1:{free.getsockname()[1]}/d"
    if request.param == "no such socket":
        return f"postgresql://u@/d?host={tmp_path}"
    return f"sqlite:///{tmp_path / 'none' / 'x.db'}" if request.param == "no such folder" else f"sqlite:///{tmp_path}"


def test_a_database_that_cannot_be_reached(unreachable_url: str) -> None:
    database = Database(unreachable_url)
    with pytest.raises(OperationalError):
        database.ping()
    with pytest.raises(OperationalError), database.read() as repository:
        repository.list_jobs(JobFilter(), before=None, limit=1)
    with pytest.raises(OperationalError), database.write() as repository:
        repository.create(a_spec())
    database.dispose()


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        database = Database(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d")
        with pytest.raises(OperationalError, match="timeout"):
            database.ping()
        database.dispose()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u@h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///", "redis://h/0"]
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ValueError, match="KD_DATABASE_URL"):
        Database(url)


@pytest.mark.parametrize("kind", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_usual_ways_to_write_a_postgresql_url(postgres_url: str, kind: str) -> None:
    database = Database(postgres_url.replace("postgresql", kind))
    database.ping()
    database.dispose()


@pytest.mark.parametrize("threshold", ["never", "-1", "1.5", "none&prepare_threshold=5"])
def test_a_prepare_threshold_that_cannot_be_used(threshold: str) -> None:
    with pytest.raises(ValueError, match=r"prepare_threshold is .*; expected 'none' or a whole number"):
        Database(f"postgresql://u:secret@h/d?prepare_threshold={threshold}")


@pytest.mark.parametrize(("query", "expected"), [("", True), ("&prepare_threshold=none", False)])
def test_a_pooler_may_ask_for_no_prepared_statements(postgres_url: str, query: str, expected: bool) -> None:
    database = Database(postgres_url + query, kept=1)
    for _ in range(10):  # the driver prepares what it has seen some times
        with database.write() as repository:
            repository.workers_seen(60)
    with database.write() as repository:
        held = repository._session.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()
    database.dispose()
    assert (held > 0) is expected


def test_no_more_connections_are_kept_than_asked_for_and_they_have_a_name(postgres_url: str) -> None:
    few, many = Database(postgres_url, "few", kept=1), Database(postgres_url, "many")
    for database in (few, many):
        all_at_once(database, [lambda repository: repository.workers_seen(60)] * 6)

    def open_ones(name: str) -> int:
        mine = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
        with many.read() as repository:
            return int(repository._session.execute(mine, {"name": name}).scalar_one())

    until(lambda: open_ones("few") == 1)  # the server notices a moment later
    assert open_ones("many") > 1
    for database in (few, many):
        database.dispose()


def test_ping(database: Database) -> None:
    database.ping()


def test_a_restarted_server_is_found_again() -> None:
    server = Postgres()
    try:
        database = Database(server.create("d"))
        database.migrate()
        job_id = create(database)
        with pytest.raises(DBAPIError), database.write() as repository:  # noqa: PT012
            repository.create(a_spec())
            server.stop()
            repository.create(a_spec())
        with pytest.raises(OperationalError):
            database.ping()
        server.start()
        with database.read() as repository:
            assert [job.id for job in repository.list_jobs(JobFilter(), before=None, limit=9)] == [job_id]
        database.dispose()
    finally:
        server.close()


def test_a_failed_transaction_leaves_no_trace(database: Database) -> None:
    job_id, token = running(database)
    before = [event.seq for event in events_of(database, job_id)]
    with pytest.raises(LeaseLost), database.write() as repository:  # noqa: PT012
        repository.record(job_id, token, [an_epoch(1)])
        repository.record(job_id, token + 1, [an_epoch(2)])
    assert [event.seq for event in events_of(database, job_id)] == before
    with database.read() as repository:
        assert repository.metrics(job_id) == []


def test_what_was_read_can_be_used_after_the_transaction(database: Database) -> None:
    job_id = create(database, labels={"a": "b"})
    with database.read() as repository:
        job = repository.get(job_id)
        [listed] = repository.list_jobs(JobFilter(), before=None, limit=1)
        [event] = repository.events(job_id, 0, 9)
    assert job.spec == listed.spec
    assert job.labels == {"a": "b"}
    assert event.type == "created"


def test_a_writer_does_not_stop_readers(database: Database) -> None:
    job_id = create(database)
    seen: list[int] = []

    def look() -> None:
        with database.read() as repository:
            seen.append(repository.get(job_id).version)

    with database.write() as repository:
        repository.claim(job_id, "worker", 60)
        reader = threading.Thread(target=look)
        reader.start()
        reader.join(5)
    assert seen == [1]


def test_writers_wait_for_each_other_even_when_they_read_first(database: Database) -> None:
    job_id, token = running(database)
    threads = [threading.Thread(target=_look_and_record, args=(database, job_id, token, n)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as repository:
        assert [metric.epoch for metric in repository.metrics(job_id)] == list(range(1, 9))


def _look_and_record(database: Database, job_id: str, token: int, epoch: int) -> None:
    with database.write() as repository:
        repository.get(job_id)
        repository.record(job_id, token, [an_epoch(epoch)])


def test_sqlite_survives_a_loss_of_power_and_minds_its_references(sqlite_database: Database) -> None:
    with sqlite_database._writer.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    full = 2
    assert settings == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_look_at_a_job_shows_what_reading_it_shows(database: Database) -> None:
    job_id, token = running(database, labels={"a": "b"})
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(1)])
    with database.read() as repository:
        job = repository.get(job_id)
    looked, _ = database.snapshot(job_id)
    columns = Job.__table__.columns.keys()
    assert {name: getattr(looked, name) for name in columns} == {name: getattr(job, name) for name in columns}
    assert looked.labels == {"a": "b"}


@pytest.mark.parametrize("job_id", ["job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", "job_\0"])
def test_a_look_at_a_job_that_does_not_exist(database: Database, job_id: str) -> None:
    with pytest.raises(JobNotFound):
        database.snapshot(job_id)


def test_a_look_does_not_wait_for_a_writer_and_sees_its_commit_at_once(database: Database) -> None:
    job_id = create(database)
    with database.write() as repository:
        repository.claim(job_id, "worker", 60)
        assert database.snapshot(job_id)[0].version == 1
    assert database.snapshot(job_id)[0].version > 1


def test_a_writer_that_fails_gives_its_turn_away(database: Database) -> None:
    with pytest.raises(LeaseLost), database.write() as repository:
        repository.renew("job_none", 1, 60)
    written: list[str] = []
    other = threading.Thread(target=lambda: written.append(create(database)))
    other.start()
    other.join(9)
    assert len(written) == 1


def test_threads_that_write_at_the_same_time_all_get_their_turn(database: Database) -> None:
    ids = all_at_once(database, [lambda repository: repository.create(a_spec()).id] * 20)
    assert len(set(ids)) == 20
    with database.read() as repository:
        assert {job.id for job in repository.list_jobs(JobFilter(), before=None, limit=50)} == set(ids)
