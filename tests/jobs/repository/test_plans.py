"""What must stay quick when there are many jobs is served by an index: SQLite's own account of how it would run it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from distillery.states import JobState
from jobs.database import Database
from jobs.repository import JobFilter, Repository
from jobs.tables import Metric
from tests.jobs.samples import a_spec, an_epoch, create, running

Statements = list[tuple[str, Any]]


@contextmanager
def listening() -> Iterator[Statements]:
    """All statements that are executed meanwhile, with their parameters."""
    heard: Statements = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        heard.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def plans(database: Database, act: Callable[[Repository], object]) -> list[str]:
    """The steps in which SQLite runs all statements of `act`."""
    for _ in range(3):
        create(database, labels={"team": "vision"})
    with listening() as heard, database.write() as repository:
        act(repository)
    assert database.url.database is not None
    connection = sqlite3.connect(database.url.database)
    questions = [(text, values) for text, values in heard if text.startswith(("SELECT", "UPDATE", "DELETE"))]
    try:
        steps = [
            row[3] for text, values in questions for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
        ]
    finally:
        connection.close()
    assert steps
    return steps


def list_jobs(before: str | None = None, **filters: Any) -> Callable[[Repository], object]:
    return lambda repository: repository.list_jobs(JobFilter(**filters), before=before, limit=50)


def scans(steps: list[str]) -> list[str]:
    return [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step]


@pytest.mark.parametrize(
    ("act", "index"),
    [
        (lambda repository: repository.expire_leases(3), "jobs_state_lease (state=? AND lease_expires<?)"),
        (lambda repository: repository.expire_waits(10), "jobs_queue_limit (state=? AND queue_ms>?)"),
        (lambda repository: repository.claim("job_1", "worker", 60), "(id=?)"),
        (lambda repository: repository.purge_ended(60, 10), "jobs_expires (expires_at<?)"),
        (lambda repository: repository.purge_ended(60, 10), "jobs_finished (finished_at<?)"),
        (lambda repository: repository.take_deliveries(10), "deliveries_state_due (state=? AND due_at<?)"),
        (lambda repository: repository.usage("local"), "jobs_queue (state=? AND owner=?)"),
        (lambda repository: repository.usage("local"), "uploads_owner (owner=?)"),
        (lambda repository: repository.versions(["job_1"]), "(id=?)"),
        (
            lambda repository: repository.metrics_page("job_1", Metric(phase="student", repeat=0, epoch=1), 10),
            "sqlite_autoindex_metrics_1 (job_id=? AND phase=? AND (repeat,epoch)>(?,?))",
        ),
        (list_jobs(owner="vision"), "jobs_owner (owner=?)"),
        (list_jobs(state=JobState.RUNNING), "jobs_state_id (state=?)"),
        (list_jobs(state=JobState.RUNNING, before="job_9"), "jobs_state_id (state=? AND id<?)"),
        (list_jobs(before="job_9"), "(id<?)"),
        (list_jobs(labels={"team": "vision"}), "job_labels_key_value (key=? AND value=?)"),
    ],
)
def test_an_index_serves(sqlite_database: Database, act: Callable[[Repository], object], index: str) -> None:
    steps = plans(sqlite_database, act)
    assert any(index in step for step in steps), steps
    # Ids are looked up in the list that the subquery made; the order of ids in it is the primary key's.
    assert scans(steps) == [], steps


def test_the_first_of_each_queue_is_found_without_looking_at_the_rest(sqlite_database: Database) -> None:
    steps = plans(sqlite_database, lambda repository: repository.claim_next("worker", "cpu", 60))
    assert sum("jobs_queue (state=? AND owner=? AND device=?)" in step for step in steps) == 2, steps
    # the table of owners is small, and gone through whole
    assert [step for step in scans(steps) if step != "SCAN owners"] == [], steps


def test_whose_message_goes_next_is_found_without_looking_at_those_of_others(sqlite_database: Database) -> None:
    with sqlite_database.write() as repository:
        told = repository.create(a_spec(webhooks=[{"url": "https://example.org/"}]))
        repository.request_cancel(told.id)
    steps = plans(sqlite_database, lambda repository: repository.take_deliveries(10))
    assert sum("deliveries_turn (state=? AND owner=? AND due_at<?)" in step for step in steps) >= 2, steps
    assert any("deliveries_taken (taken_until>?)" in step for step in steps), steps
    # the rest are the small table of owners, and lists of none
    assert not [step for step in steps if step.startswith("SCAN deliveries") or "FOR ORDER BY" in step], steps


def test_a_list_without_filters_walks_down_the_ids(sqlite_database: Database) -> None:
    assert plans(sqlite_database, list_jobs()) == ["SCAN jobs USING INDEX sqlite_autoindex_jobs_1"]


def test_indexes_serve_all_writes_of_an_attempt(sqlite_database: Database) -> None:
    job_id, token = running(sqlite_database)

    def act(repository: Repository) -> None:
        repository.renew(job_id, token, 60)
        repository.record(job_id, token, [an_epoch(1)])
        repository.hand_back(job_id, token, "deploy")

    assert scans(plans(sqlite_database, act)) == []
