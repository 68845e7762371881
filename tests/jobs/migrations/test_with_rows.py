"""From every revision to the newest, back, and forward again, with what a service in use has in its tables."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from distillery.states import DeliveryState, EndReason, JobState
from jobs.database import Database
from jobs.errors import UnknownRevision
from jobs.migrations.upgrade import NEWEST, REVISIONS
from jobs.tables import Base
from tests.jobs.migrations.rows import ROWS, STATES, Rows, engine_of, fill, job_id, read_all, revision_of
from tests.jobs.samples import a_file


def assert_kept(before: Rows, after: Rows) -> None:
    """Every row that both revisions have a place for says the same."""
    for table in before.keys() & after.keys():
        for key, row in before[table].items():
            # a primary key may have become longer: its own columns are still there
            found = [other for other in after[table].values() if row.items() <= (other | _gone(row, other)).items()]
            assert len(found) == 1, (table, key)


def _gone(row: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    """What has no place in the other revision."""
    return {column: value for column, value in row.items() if column not in other}


def test_every_table_has_rows_here() -> None:
    assert set(ROWS) == set(Base.metadata.tables)


@pytest.mark.parametrize("revision", REVISIONS)
def test_rows_go_forward_are_worked_with_and_go_back(empty_database_url: str, revision: str) -> None:
    engine, database = engine_of(empty_database_url), Database(empty_database_url)
    fill(engine, revision)
    at_first = read_all(engine)

    database.migrate()
    assert revision_of(engine) == NEWEST
    assert_kept(at_first, read_all(engine))
    work_with(database, revision)
    worked = read_all(engine)

    database.take_back(revision)
    assert revision_of(engine) == revision
    taken_back = read_all(engine)
    assert taken_back.keys() == at_first.keys()
    assert_kept(worked, taken_back)

    database.migrate()
    assert_kept(taken_back, read_all(engine))
    with database.read() as repository:
        assert repository.get(job_id("queued")).state is JobState.SUCCEEDED
    database.dispose()
    engine.dispose()


def work_with(database: Database, revision: str) -> None:
    """Everybody goes on with what was there before: users, workers, the webhook sender."""
    with database.read() as repository:
        for state in STATES:
            job = repository.get(job_id(state))
            assert (job.state, job.owner, job.version, job.labels) == (JobState(state), "local", 7, {"team": "vision"})
            assert [event.seq for event in repository.events(job.id, 0, 10)] == [1, 2]
        assert len(repository.metrics(job_id("running"))) == 4
        assert {row.name for row in repository.artifacts(job_id("succeeded"))} >= {"student.safetensors"}
    with database.write() as repository:
        found = repository.find_by_key("monday", "a" * 64)
        assert found is not None
        assert found.id == job_id("queued")
    _end_what_runs(database)
    with database.write() as repository:
        repository.resume(job_id("paused"))
        assert repository.retry(job_id("failed"))[0].retry_of == job_id("failed")
        if revision >= "0002":
            assert [row.line for row in repository.log(job_id("running"), 0, 10)] == ["epoch 1", "epoch 2"]
            assert [message.id for message in repository.take_deliveries(5)] == ["msg_0"]
            assert repository.deliveries(job_id("succeeded"))[0].state is DeliveryState.DUE
        if revision >= "0003":
            assert repository.upload(f"up_{1:026d}").owner == "local"
            assert repository.dataset(f"ds_{1:026d}").job.id == job_id("succeeded")


def _end_what_runs(database: Database) -> None:
    """An attempt from before goes on under its token; the job that waits is claimed, and ends."""
    with database.write() as repository:
        assert not repository.renew(job_id("running"), 3, 60).cancel_requested
        repository.finish(job_id("running"), 3, EndReason.COMPLETED, "", [a_file(key=f"{job_id('running')}/3/report")])
        claimed = repository.claim_next("w-2", "cpu", 60)
        assert claimed is not None
        assert claimed.id == job_id("queued")
        repository.finish(claimed.id, claimed.token, EndReason.COMPLETED, "", [])


def test_of_a_key_that_two_owners_use_one_goes_back_before_there_were_owners(empty_database_url: str) -> None:
    engine, database = engine_of(empty_database_url), Database(empty_database_url)
    fill(engine, "0002")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO idempotency_keys SELECT 'vision', key, body_sha256, job_id, 5 FROM idempotency_keys")
        )
    database.take_back("0001")
    assert {key: row["created_at"] != 5 for key, row in read_all(engine)["idempotency_keys"].items()} == {
        ("monday",): True, ("tuesday",): True,
    }  # fmt: skip
    database.dispose()
    engine.dispose()


@pytest.mark.parametrize(("wanted", "says"), [("0999", "there are 0001, 0002"), ("base", "no revision 'base'")])
def test_there_is_no_way_back_to_what_never_was(database: Database, wanted: str, says: str) -> None:
    with pytest.raises(UnknownRevision, match=says):
        database.take_back(wanted)


def test_back_is_not_forward(empty_database_url: str) -> None:
    engine, database = engine_of(empty_database_url), Database(empty_database_url)
    with pytest.raises(UnknownRevision, match="at revision none, which is before '0001'"):
        database.take_back("0001")
    fill(engine, "0001")
    with pytest.raises(UnknownRevision, match="at revision 0001, which is before '0002'"):
        database.take_back("0002")
    database.dispose()
    engine.dispose()
